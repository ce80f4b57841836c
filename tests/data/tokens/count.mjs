// Prints the lines of counts.txt. Needs the npm package gpt-tokenizer 4.0.0 beside it:
//     npm install --prefix build/count gpt-tokenizer@4.0.0
//     cp tests/data/tokens/count.mjs build/count/ && node build/count/count.mjs tests/data/tokens/*.txt
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import * as cl100k from "gpt-tokenizer/encoding/cl100k_base";
import * as o200k from "gpt-tokenizer/encoding/o200k_base";

for (const path of process.argv.slice(2)) {
  if (basename(path) === "counts.txt") continue;
  const text = readFileSync(path, "utf8");
  console.log(basename(path), cl100k.countTokens(text), o200k.countTokens(text));
}
