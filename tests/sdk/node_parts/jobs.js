'use strict';
// Import, export and scheduled jobs. Import and export need a container of a blob storage.

const { KEY_1, KEY_2, body, ended, keys } = require('./count.js');

async function scheduledJobs(jobs, registry, count) {
  const patch = { etag: '*', tags: { scheduled: 'yes' } };
  const made = await jobs.scheduleTwinUpdate(
    'job-soon', "deviceId in ['bulk-11', 'bulk-12']", patch, new Date(), 300);
  count.same('schedule a change of twins', [made.jobStatus.jobId, made.jobStatus.type],
    ['job-soon', 'scheduleUpdateTwin']);
  const done = await ended(async () => (await jobs.getJob('job-soon')).jobStatus);
  count.same('the job ends', done.status, 'completed');
  const tags = async (id) => (await body(registry.getTwin(id))).tags.scheduled;
  count.same('the job changes twins',
    [await tags('bulk-11'), await tags('bulk-12'), await tags('bulk-13')],
    ['yes', 'yes', undefined]);
  const later = new Date(Date.now() + 3_600_000);
  await jobs.scheduleTwinUpdate('job-late', "deviceId = 'bulk-13'", patch, later, 300);
  count.same('cancel a scheduled job', (await jobs.cancelJob('job-late')).jobStatus.jobId,
    'job-late');
  const late = await ended(async () => (await jobs.getJob('job-late')).jobStatus);
  count.same('the cancelled job did nothing', [late.status, await tags('bulk-13')],
    ['cancelled', undefined]);
  const { result } = await jobs.createQuery('scheduleUpdateTwin', 'completed').next();
  count.same('query scheduled jobs', result.items.map((job) => job.jobId), ['job-soon']);
  await count.fails('get a missing scheduled job', 404, null, () => jobs.getJob('none'));
}

async function importAndExport(registry, count, container) {
  count.same('there are no import and export jobs', await body(registry.listJobs()), []);
  await count.fails('get a missing job', 404, 'JobNotFound', () => registry.getJob('none'));
  await count.fails('cancel a missing job', 404, 'JobNotFound', () => registry.cancelJob('none'));
  if (!container) {
    console.log('skipped: import and export, HUBSHIFT_BLOB_SAS_URI is not set');
    return;
  }
  const made = await registry.exportDevicesToBlob(container, false);
  count.same('create an export job', made.type, 'export');
  const done = await ended(() => registry.getJob(made.jobId));
  count.same('the export ends', done.status, 'completed');
  const gone = await body(registry.get('bulk-20'));
  await registry.delete('bulk-20');
  const back = await registry.importDevicesFromBlob(container, container);
  const imported = await ended(() => registry.getJob(back.jobId));
  count.same('the import ends', [imported.type, imported.status], ['import', 'completed']);
  const again = await body(registry.get('bulk-20'));
  count.same('the device is back with its keys', keys(again), [KEY_1, KEY_2]);
  count.ok('as another one', again.generationId !== gone.generationId);
  const listed = (await body(registry.listJobs())).map((job) => job.type).sort();
  count.same('both jobs are listed', listed, ['export', 'import']);
}

module.exports = { importAndExport, scheduledJobs };
