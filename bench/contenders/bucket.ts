import { createHmac } from "node:crypto";
import { Agent, type IncomingMessage, request } from "node:http";

/** More than any of the benchmarks has under way, so that no request waits for a connection. */
const CONNECTIONS_MAX = 256;

/** Who may do everything. */
export interface Root {
  readonly user: string;
  readonly password: string;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly bytes: Buffer;
}

/**
 * A bucket of S3 that keeps all versions, over connections that stay open. Everybody may read and write its objects:
 * a load generator that signs each request would have less of the processors left for the server.
 */
export class Bucket {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX, maxFreeSockets: CONNECTIONS_MAX });

  private constructor(
    private readonly port: number,
    private readonly name: string,
  ) {}

  static async create(port: number, name: string, root: Root): Promise<Bucket> {
    const bucket = new Bucket(port, name);
    const open = ["s3:PutObject", "s3:GetObject"];
    const policy = {
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Principal: { AWS: ["*"] }, Action: open, Resource: [`arn:aws:s3:::${name}/*`] }],
    };
    const versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    await bucket.#asRoot(root, "");
    await bucket.#asRoot(root, "?versioning", versioning);
    await bucket.#asRoot(root, "?policy", JSON.stringify(policy));
    return bucket;
  }

  /** Throws unless the object has got a version of its own: an overwrite that keeps nothing is not what is compared. */
  async put(key: string, bytes: Uint8Array): Promise<void> {
    const { headers } = await this.#ask("PUT", `/${key}`, bytes);
    const version = headers["x-amz-version-id"];
    if (version === undefined || version === "null")
      throw new Error(`${this.name}/${key} was written without a version`);
  }

  async get(key: string): Promise<Uint8Array> {
    return (await this.#ask("GET", `/${key}`)).bytes;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Signed as S3 did at first, which is enough for the three requests that need it. */
  async #asRoot({ user, password }: Root, query: string, body = ""): Promise<void> {
    const date = new Date().toUTCString();
    const signed = createHmac("sha1", password).update(`PUT\n\n\n${date}\n/${this.name}${query}`).digest("base64");
    await this.#ask("PUT", query, Buffer.from(body), { date, authorization: `AWS ${user}:${signed}` });
  }

  async #ask(method: string, rest: string, body?: Uint8Array, headers: Record<string, string> = {}): Promise<Answer> {
    const answer = await new Promise<Answer>((resolve, reject) => {
      const asked = request(
        {
          agent: this.#agent,
          host: "127.0.0.1",
          port: this.port,
          method,
          path: `/${this.name}${rest}`,
          headers: { ...headers, ...(body && { "content-length": body.length }) },
        },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
          incoming.once("error", reject);
          incoming.once("end", () =>
            resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, bytes: Buffer.concat(chunks) }),
          );
        },
      );
      asked.once("error", reject);
      asked.end(body);
    });
    if (answer.status < 200 || answer.status >= 300)
      throw new Error(`${method} /${this.name}${rest}: ${answer.status} ${answer.bytes.toString("utf8", 0, 500)}`);
    return answer;
  }
}
