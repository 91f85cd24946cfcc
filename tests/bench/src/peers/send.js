// Sends N messages through nodemailer's pool of 20 connections, each rendered with Handlebars; says
// messages a second.
const nodemailer = require("nodemailer");
const handlebars = require("handlebars");

const [port, count] = process.argv.slice(2).map(Number);
const subject = handlebars.compile("A question about {{company}}, {{first_name}}", { noEscape: true });
const text = handlebars.compile(
  "Hello {{first_name}} {{last_name}},\n\nI came across {{company}} in {{city}}.\n" +
    "{{#if note}}You may remember that {{note}}.\n{{/if}}\n" +
    "What we do about {{topic}} is quickly told. ".repeat(28) +
    "\n\nWith kind regards\nAnn Lee\n",
  { noEscape: true },
);

const transport = nodemailer.createTransport({
  host: "127.0.0.1",
  port,
  ignoreTLS: true,
  pool: true,
  maxConnections: 20,
  maxMessages: Infinity,
});

async function main() {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const nr = next++;
      const values = {
        first_name: "Pat",
        last_name: `Lee ${nr}`,
        company: `Company ${nr}`,
        city: "Springfield",
        topic: "roofs",
        note: nr % 3 ? "" : "we met at the fair in March",
      };
      await transport.sendMail({
        from: "ann@sender.example",
        to: `pat.${nr}@company-${nr}.example`,
        subject: subject(values),
        text: text(values),
      });
    }
  };
  const begun = process.hrtime.bigint();
  await Promise.all(Array.from({ length: 20 }, worker));
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  transport.close();
  console.log(count / seconds);
}

main().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
