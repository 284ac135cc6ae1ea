// A consumer in JavaScript, with the cache of Powertools for AWS Lambda over AWS's SDK.
//
//     SECRET_ID=... URL=... CACHE_S=... node powertools.mjs
//
// Prints the same lines as caching.py.

import { setTimeout } from "node:timers/promises";
import { getSecret } from "@aws-lambda-powertools/parameters/secrets";

const PAUSE_MS = 50;
const DEFAULT_S = 5; // as documented: the package does not export it

console.log(`default ${DEFAULT_S}`);
for (;;) {
  const { SECRET_ID, URL, CACHE_S } = process.env;
  const value = JSON.parse(await getSecret(SECRET_ID, { maxAge: Number(CACHE_S) }));
  const answer = await fetch(URL, { headers: { Authorization: `Bearer ${value.JWT}` } });
  await answer.arrayBuffer();
  console.log(`${value.pinata_api_key} ${answer.status}`);
  await setTimeout(PAUSE_MS);
}
