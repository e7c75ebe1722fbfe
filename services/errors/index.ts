export * from "./backup.js";
export * from "./client-lock.js";
export * from "./lock.js";
export * from "./recovery.js";
export * from "./safe-operation-error.js";
export * from "./validation.js";
