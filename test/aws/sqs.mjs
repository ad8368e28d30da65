// SQS on loopback, at a free port whose address it prints. It ends with its
// standard input, so that no test leaves it behind. fauxqs's own command
// listens on all addresses.
import { isBuiltin, register } from "node:module";

// fauxqs imports SQLite, for a persistence that is not used here, and Node 20
// has none.
if (!isBuiltin("node:sqlite")) {
  const empty = "data:text/javascript,export class DatabaseSync {}";
  const hook = `export const resolve = (name, context, next) =>
    name === "node:sqlite" ? { url: ${JSON.stringify(empty)}, shortCircuit: true } : next(name, context);`;
  register("data:text/javascript," + encodeURIComponent(hook));
}
const { buildApp } = await import("fauxqs");

const app = buildApp({ logger: false });
console.log(await app.listen({ port: 0, host: "127.0.0.1" }));
process.stdin.on("end", () => process.exit()).resume();
