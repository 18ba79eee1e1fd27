'use strict';
// Microsoft's own Node SDK, unmodified, against a hub.
//
// Usage: node registry_sdk.js CONNECTION_STRING
//
// Needs azure-iothub 1.16.6 where NODE_PATH says. NODE_EXTRA_CA_CERTS names the certificates to
// trust. HUBSHIFT_BLOB_SAS_URI, if set, is a container's URI with a SAS, for import and export.
// Every answer is asserted. Prints "N operations ok" last and exits with 1 on the first failure.
// The hub must be empty and listen on port 443; it is left empty.

const { JobClient, Registry } = require('azure-iothub');

const { bulk, bulkDeletes, queries } = require('./node_parts/bulk_and_query.js');
const { configurations } = require('./node_parts/configurations.js');
const { Count } = require('./node_parts/count.js');
const { deletes, identities, twins } = require('./node_parts/identities.js');
const { importAndExport, scheduledJobs } = require('./node_parts/jobs.js');
const { edgeDeletes, edges, modules } = require('./node_parts/modules.js');

async function main(connectionString) {
  const registry = Registry.fromConnectionString(connectionString);
  const jobs = JobClient.fromConnectionString(connectionString);
  const count = new Count();
  for (const part of [identities, twins, bulk, queries, modules, edges, configurations]) {
    await part(registry, count);
  }
  await scheduledJobs(jobs, registry, count);
  await importAndExport(registry, count, process.env.HUBSHIFT_BLOB_SAS_URI);
  for (const part of [edgeDeletes, bulkDeletes, deletes]) {
    await part(registry, count);
  }
  console.log(`${count.done} operations ok`);
}

if (process.argv.length !== 3) {
  console.error('usage: node registry_sdk.js CONNECTION_STRING');
  process.exit(64);
}
main(process.argv[2]).then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
