import assert from "node:assert/strict";
import test from "node:test";
import { greet } from "./main.mjs";

test("it names who is greeted", () => {
  assert.deepEqual(greet({ name: "Ada" }), { greeting: "Hello, Ada!" });
});
