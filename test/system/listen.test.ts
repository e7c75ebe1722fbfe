import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { FileOpsService } from "../../services/gen/safefile/v1/file_ops_service_pb.js";
import { Cleanup } from "../cluster/cleanup.js";
import { startReplica } from "../cluster/replica.js";
import { startWorld, type World } from "./world.js";

const cleanup = new Cleanup();
let world: World;

before(async () => {
  world = await startWorld(cleanup);
});
after(() => cleanup.end());

interface Settings {
  readonly env?: Readonly<Record<string, string>>;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** What a replica with these settings says as it refuses to start. */
async function refusal(settings: Settings): Promise<string> {
  const options = { cleanup, volume: world.volume, redis: [world.redis.url], ...settings };
  const failure = await startReplica(options).then(
    (replica) => assert.fail(`it listens on ${replica.address}`),
    (error: Error) => error.message,
  );
  assert.match(failure, /^The replica ended with code 78 before it was ready:\n/);
  return failure;
}

const OPEN = [
  "0.0.0.0:0",
  "[::]:0",
  ":::0",
  ":0",
  "*:0",
  "0:0",
  "192.0.2.1:0",
  "[2001:db8::1]:0",
  "[::ffff:0.0.0.0]:0",
  // No brackets: the address ::1:7420 of some network, and no port.
  "::1:7420",
  "example.com:0",
  "127.0.0.1.example.com:0",
  "localhost.example.com:0",
  "127.0.0.1@0.0.0.0:0",
  "unix:/tmp/safefile:0",
  "dns:0.0.0.0:0",
  "ipv4:0.0.0.0:0",
];

for (const listen of OPEN) {
  test(`an address that others could reach is refused: ${listen}`, async () => {
    assert.match(
      await refusal({ env: { SAFEFILE_LISTEN: listen } }),
      /listen: must be a loopback address \(127\.0\.0\.1, ::1, localhost\): there is no authentication yet/,
    );
  });
}

test("an open address in the file is refused as well", async () => {
  // The harness sets SAFEFILE_LISTEN, and the environment wins: so it is taken out of there.
  const env = { SAFEFILE_LISTEN: undefined } as unknown as Record<string, string>;
  const failure = await refusal({ config: { listen: "0.0.0.0:7420" }, env });
  assert.match(failure, /must be a loopback address/);
});

for (const listen of ["localhost:99999", "[127.0.0.1]:0"]) {
  test(`what is no address is refused in a sentence: ${listen}`, async () => {
    assert.match(await refusal({ env: { SAFEFILE_LISTEN: listen } }), /^listen: /m);
  });
}

test("an address without a port is refused", async () => {
  assert.match(await refusal({ env: { SAFEFILE_LISTEN: "127.0.0.1" } }), /listen: must be host:port/);
});

for (const host of ["127.0.0.1", "127.8.9.10", "localhost"]) {
  test(`an address that only this host reaches is taken: ${host}`, async () => {
    const env = { SAFEFILE_LISTEN: `${host}:0` };
    const replica = await startReplica({ cleanup, volume: world.volume, redis: [world.redis.url], env });
    assert.match(replica.address, new RegExp(`^${host}:[1-9][0-9]*$`));
    assert.deepEqual(await replica.stop(), { code: 0, signal: null });
  });
}

test("a setting that does not exist is refused, in the environment and in the file", async () => {
  assert.match(await refusal({ env: { SAFEFILE_LEASE_MSS: "5" } }), /SAFEFILE_LEASE_MSS: no such setting/);
  assert.match(await refusal({ config: { leaseMss: 5 } }), /leaseMss/);
  assert.match(await refusal({ env: { SAFEFILE_LEASE_MS: "soon" } }), /leaseMs: /);
  assert.match(await refusal({ env: { SAFEFILE_LEASE_MS: "1" } }), /leaseMs: /);
  assert.match(await refusal({ env: { SAFEFILE_CONFIG: "/nowhere.yaml" } }), /\/nowhere\.yaml does not exist/);
});

test("all problems are told at once", async () => {
  const env = { SAFEFILE_LISTEN: "0.0.0.0:0", SAFEFILE_LEASE_MSS: "5", SAFEFILE_LEASE_MS: "1" };
  const failure = await refusal({ env });
  for (const each of ["listen: ", "SAFEFILE_LEASE_MSS: ", "leaseMs: "]) assert.ok(failure.includes(each), failure);
});

/** The first value of field `wanted` in a message, as bytes or as a number. */
function fieldsOf(bytes: Uint8Array, wanted: number): (Uint8Array | number)[] {
  const reader = new BinaryReader(bytes);
  const found: (Uint8Array | number)[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    const value = type === 2 ? reader.bytes() : type === 0 ? reader.int32() : reader.skip(type, field);
    if (field === wanted) found.push(value);
  }
  return found;
}

const textField = (field: number, text: string) => new BinaryWriter().tag(field, 2).string(text).finish();

test("health says SERVING for the whole and for each service, and NOT_FOUND for others", async () => {
  const check = (service: string) =>
    world.raw.exchange("/grpc.health.v1.Health/Check", [textField(1, service)], (bytes) => bytes);
  const services = ["FileOpsService", "RecoveryService", "LockService", "AdminService"];
  for (const name of ["", ...services.map((each) => `safefile.v1.${each}`)]) {
    const { code, messages } = await check(name);
    assert.equal(code, "OK", name);
    assert.deepEqual(fieldsOf(messages[0]!, 1), [1], `${name} is SERVING`);
  }
  assert.equal((await check("safefile.v1.NoService")).code, "NOT_FOUND");
});

const REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

test("reflection names the services and describes them as they are", async () => {
  const listed = await world.raw.exchange(REFLECTION, [textField(7, "*")], (bytes) => bytes);
  const list = fieldsOf(listed.messages[0]!, 6)[0] as Uint8Array;
  const names = fieldsOf(list, 1).map((each) =>
    Buffer.from(fieldsOf(each as Uint8Array, 1)[0] as Uint8Array).toString(),
  );
  for (const service of ["FileOpsService", "RecoveryService", "LockService", "AdminService"])
    assert.ok(names.includes(`safefile.v1.${service}`), names.join());

  const asked = await world.raw.exchange(REFLECTION, [textField(4, FileOpsService.typeName)], (bytes) => bytes);
  const files = fieldsOf(fieldsOf(asked.messages[0]!, 4)[0] as Uint8Array, 1).map((bytes) =>
    fromBinary(FileDescriptorProtoSchema, bytes as Uint8Array),
  );
  const [own] = files.filter(({ service }) => service.length > 0);
  for (const { dependency } of files)
    for (const name of dependency)
      assert.ok(
        files.some((file) => file.name === name),
        `${name} is sent along`,
      );
  assert.deepEqual(
    own?.service[0]?.method.map(({ name, inputType, outputType }) => [name, inputType, outputType]),
    FileOpsService.methods.map(({ name, input, output }) => [name, `.${input.typeName}`, `.${output.typeName}`]),
  );
  assert.deepEqual(
    own?.service[0]?.method.map(({ clientStreaming, serverStreaming }) => [clientStreaming, serverStreaming]),
    FileOpsService.methods.map(({ proto }) => [proto.clientStreaming, proto.serverStreaming]),
  );
});
