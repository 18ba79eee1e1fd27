'use strict';
// What every part uses: counting what was asserted, keys, waiting.

const { isDeepStrictEqual } = require('node:util');

const KEY_1 = Buffer.alloc(32, '1').toString('base64');
const KEY_2 = Buffer.alloc(32, '2').toString('base64');
const PRINT_1 = 'aB'.repeat(20);
const PRINT_2 = 'cD'.repeat(20);

// The longest that a job may take, in milliseconds.
const PATIENCE = 60_000;

/** Counts operations that did what they should. */
class Count {
  constructor() {
    this.done = 0;
  }

  ok(what, condition = true) {
    if (!condition) throw new Error(what);
    this.done += 1;
    console.log('ok', this.done, what);
  }

  same(what, found, wanted) {
    if (!isDeepStrictEqual(found, wanted)) {
      throw new Error(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
    }
    this.ok(what);
  }

  /** The call must fail with this status and, unless it is null, this error name. */
  async fails(what, status, name, call) {
    let error;
    try {
      await call();
    } catch (found) {
      error = found;
    }
    if (!error) throw new Error(`${what}: did not fail`);
    if (!error.response) throw error;
    const found = [error.response.statusCode, error.response.headers['iothub-errorcode']];
    this.same(what, found, [status, name ?? found[1]]);
  }
}

/** Most functions of the SDK answer with the body and the response. */
async function body(promise) {
  return (await promise).responseBody;
}

function sas(primaryKey = KEY_1, secondaryKey = KEY_2) {
  return { type: 'sas', symmetricKey: { primaryKey, secondaryKey } };
}

function keys(device) {
  const { primaryKey, secondaryKey } = device.authentication.symmetricKey;
  return [primaryKey, secondaryKey];
}

/** Polls a job until it has ended. */
async function ended(get) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const job = await get();
    if (['completed', 'failed', 'cancelled'].includes(job.status)) return job;
    if (Date.now() > deadline) throw new Error(`the job is still ${job.status}`);
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

module.exports = { Count, KEY_1, KEY_2, PRINT_1, PRINT_2, body, ended, keys, sas };
