// Runs a function from its zip file under @vercel/fun: an event a line on standard
// input, what it was answered a line on standard output. It ends with its input.
//
//	node invoke.mjs ZIP '{"NAME":"value"}'
import { createInterface } from "node:readline";
import { readFile } from "node:fs/promises";
import { ServerResponse } from "node:http";
import { createFunction } from "@vercel/fun";

// Its deadline is 5000 whatever the hour, five seconds into 1970. This one is right.
const setHeader = ServerResponse.prototype.setHeader;
ServerResponse.prototype.setHeader = function (name, value) {
  const deadline = name === "Lambda-Runtime-Deadline-Ms";
  return setHeader.call(this, name, deadline ? String(Date.now() + 30_000) : value);
};

const [zip, variables] = process.argv.slice(2);
const call = await createFunction({
  Code: { ZipFile: await readFile(zip) },
  Handler: "bootstrap",
  Runtime: "provided",
  Region: "us-east-1",
  AccessKeyId: "AKIDTEST",
  SecretAccessKey: "a-secret-for-tests",
  Environment: { Variables: JSON.parse(variables) },
  MemorySize: 512,
  Timeout: 30,
});
for await (const event of createInterface({ input: process.stdin })) {
  const answer = await call.invoke({ InvocationType: "RequestResponse", Payload: event });
  console.log(JSON.stringify({ failed: Boolean(answer.FunctionError), payload: String(answer.Payload) }));
}
await call.destroy();
process.exit();
