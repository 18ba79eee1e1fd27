'use strict';
// Bulk calls, and queries over what they made.

const { KEY_1, KEY_2, body, keys, sas } = require('./count.js');

const IDS = Array.from({ length: 25 }, (_, n) => `bulk-${String(n).padStart(2, '0')}`);

function entry(deviceId, more = {}) {
  return { deviceId, status: 'enabled', authentication: sas(), ...more };
}

async function bulk(registry, count) {
  const made = await body(registry.addDevices(IDS.map((id) => entry(id, { tags: { bulk: id } }))));
  count.same('bulk create', [made.isSuccessful, made.errors ?? []], [true, []]);
  count.same('bulk create sets keys', keys(await body(registry.get('bulk-07'))), [KEY_1, KEY_2]);
  count.same('bulk create sets tags', (await body(registry.getTwin('bulk-07'))).tags,
    { bulk: 'bulk-07' });
  const changed = await body(registry.updateDevices(
    [entry('bulk-01', { statusReason: 'seen' })], true));
  count.same('bulk update', changed.isSuccessful, true);
  const device = await body(registry.get('bulk-02'));
  device.statusReason = 'careful';
  await registry.updateDevices([device], false);
  count.same('bulk update with an etag',
    (await body(registry.get('bulk-02'))).statusReason, 'careful');

  // `device` has its etag of before, so that one entry of two fails.
  const other = await body(registry.get('bulk-03'));
  other.statusReason = 'applied';
  await count.fails('bulk in part', 400, null,
    () => registry.updateDevices([device, other], false));
  count.same('the good entry was applied',
    (await body(registry.get('bulk-03'))).statusReason, 'applied');
  const gone = await body(registry.removeDevices(
    [{ deviceId: 'bulk-24', status: 'enabled' }], true));
  count.same('bulk delete', gone.isSuccessful, true);
  await count.fails('the removed device is gone', 404, 'DeviceNotFound',
    () => registry.get('bulk-24'));
}

async function queries(registry, count) {
  const query = registry.createQuery('select * from devices', 10);
  const ids = new Set();
  let pages = 0;
  while (query.hasMoreResults) {
    const { result } = await query.nextAsTwin();
    result.forEach((twin) => ids.add(twin.deviceId));
    pages += 1;
  }
  count.same('query by pages', [pages, ids.size], [3, 29]);
  const where = registry.createQuery("SELECT * FROM devices WHERE tags.bulk = 'bulk-02'");
  const found = (await where.nextAsTwin()).result;
  count.same('query by tag', found.map((twin) => twin.deviceId), ['bulk-02']);
  const raw = registry.createQuery(
    "select deviceId, tags.bulk as bulk from devices where tags.bulk = 'bulk-02'");
  count.same('query by projection', (await raw.next()).result,
    [{ deviceId: 'bulk-02', bulk: 'bulk-02' }]);
  const all = registry.createQuery('select count() as n from devices');
  count.same('count', (await all.next()).result, [{ n: 29 }]);
  await count.fails('a wrong query', 400, 'ArgumentInvalid',
    () => registry.createQuery('select nothing').next());
}

async function bulkDeletes(registry, count) {
  const rest = IDS.slice(0, 24).map((deviceId) => ({ deviceId, status: 'enabled' }));
  count.same('bulk delete of the rest',
    (await body(registry.removeDevices(rest, true))).isSuccessful, true);
}

module.exports = { bulk, bulkDeletes, queries };
