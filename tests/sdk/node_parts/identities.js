'use strict';
// Device identities and what their twins say: keys, thumbprints, authorities, odd ids, statistics.

const { KEY_1, KEY_2, PRINT_1, PRINT_2, body, keys, sas } = require('./count.js');

async function identities(registry, count) {
  const made = await body(registry.create(
    { deviceId: 'sas-1', status: 'enabled', statusReason: 'new', authentication: sas() }));
  count.same('create with keys', keys(made), [KEY_1, KEY_2]);
  const bare = await body(registry.create({ deviceId: 'bare-1' }));
  count.ok('create without keys', keys(bare).every((key) => key.length === 44));
  const prints = { primaryThumbprint: PRINT_1, secondaryThumbprint: PRINT_2 };
  const x509 = await body(registry.create(
    { deviceId: 'x509-1', authentication: { x509Thumbprint: prints } }));
  count.same('create with thumbprints',
    [x509.authentication.type, x509.authentication.x509Thumbprint], ['selfSigned', prints]);
  const ca = await body(registry.create(
    { deviceId: 'ca-1', status: 'disabled', authentication: { type: 'certificateAuthority' } }));
  count.same('create with authority', [ca.authentication.type, ca.status],
    ['certificateAuthority', 'disabled']);
  const odd = await body(registry.create({ deviceId: 'odd%2F#?+1', authentication: sas() }));
  count.same('get an odd id', (await body(registry.get('odd%2F#?+1'))).etag, odd.etag);

  const got = await body(registry.get('sas-1'));
  count.same('get', [keys(got), got.statusReason], [[KEY_1, KEY_2], 'new']);
  await count.fails('create twice', 409, 'DeviceAlreadyExists',
    () => registry.create({ deviceId: 'sas-1', authentication: sas() }));
  await count.fails('get a missing one', 404, 'DeviceNotFound', () => registry.get('none'));

  got.status = 'disabled';
  got.authentication = sas(KEY_2, KEY_1);
  const changed = await body(registry.update(got));
  count.same('update with keys', [keys(changed), changed.status], [[KEY_2, KEY_1], 'disabled']);
  count.ok('an update moves the etag', changed.etag !== got.etag);
  count.same('an update keeps the generation', changed.generationId, got.generationId);
  await count.fails('update a missing one', 404, 'DeviceNotFound',
    () => registry.update({ deviceId: 'none', authentication: sas() }));

  const listed = (await body(registry.list())).map((device) => device.deviceId).sort();
  count.same('list', listed, ['bare-1', 'ca-1', 'odd%2F#?+1', 'sas-1', 'x509-1']);
  count.same('device statistics', await body(registry.getRegistryStatistics()),
    { totalDeviceCount: 5, enabledDeviceCount: 3, disabledDeviceCount: 2 });
}

async function twins(registry, count) {
  const twin = await body(registry.getTwin('x509-1'));
  count.same('get a twin', [twin.deviceId, twin.deviceEtag],
    ['x509-1', (await body(registry.get('x509-1'))).etag]);
  const old = twin.etag;
  const patch = { tags: { room: '4', odd: 'ä€𝄞' }, properties: { desired: { rate: 5 } } };
  const patched = await body(registry.updateTwin('x509-1', patch, twin.etag));
  count.same('patch a twin', [patched.tags, patched.properties.desired.rate],
    [{ room: '4', odd: 'ä€𝄞' }, 5]);
  await patched.update({ tags: { room: null, floor: 2 } });
  count.same('a twin patches itself', patched.tags, { odd: 'ä€𝄞', floor: 2 });
  await twin.get();
  count.same('a twin reads itself', twin.etag, patched.etag);
  await count.fails('patch with an old etag', 412, 'PreconditionFailed',
    () => registry.updateTwin('x509-1', { tags: { room: '5' } }, old));
  await registry.updateTwin('x509-1', { tags: { floor: 3 } }, '*');
  count.same('patch whatever is there',
    (await body(registry.getTwin('x509-1'))).tags.floor, 3);
  await count.fails('get a missing twin', 404, 'DeviceNotFound', () => registry.getTwin('none'));
}

async function deletes(registry, count) {
  const old = await body(registry.get('sas-1'));
  await registry.delete('sas-1');
  await count.fails('a deleted device is gone', 404, 'DeviceNotFound',
    () => registry.get('sas-1'));
  const again = await body(registry.create({ deviceId: 'sas-1', authentication: sas() }));
  count.ok('made again it is another one', again.generationId !== old.generationId);
  for (const id of ['sas-1', 'bare-1', 'x509-1', 'ca-1', 'odd%2F#?+1']) {
    await registry.delete(id);
    count.ok(`delete ${id}`);
  }
  await count.fails('delete a missing one', 404, 'DeviceNotFound', () => registry.delete('none'));
  count.same('nothing is left', await body(registry.list()), []);
}

module.exports = { deletes, identities, twins };
