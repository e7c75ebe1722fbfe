import { CONTENTS } from "./contents.js";
import type { Rules } from "./ground.js";
import { LIVE } from "./live.js";
import { NAMES } from "./names.js";

/** Everything that the layers above rely on, by what it says. The real volume and the fake keep the same. */
export const RULES: Rules = { ...NAMES, ...CONTENTS, ...LIVE };
