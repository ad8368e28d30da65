// DynamoDB on loopback, at a free port whose address it prints. It ends with
// its standard input, so that no test leaves it behind.
import dynalite from "dynalite";

const server = dynalite({ createTableMs: 0 });
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
process.stdin.on("end", () => process.exit()).resume();
