'use strict';
// Module identities, their twins, and edge devices with their parents and children.

const { KEY_1, KEY_2, body, keys, sas } = require('./count.js');

const DEVICE = 'bulk-10';

async function modules(registry, count) {
  const made = await body(registry.addModule(
    { deviceId: DEVICE, moduleId: 'm1', managedBy: 'me', authentication: sas() }));
  count.same('create a module', [keys(made), made.managedBy], [[KEY_1, KEY_2], 'me']);
  count.same('get a module', (await body(registry.getModule(DEVICE, 'm1'))).etag, made.etag);
  await registry.addModule({ deviceId: DEVICE, moduleId: 'm2' });
  const listed = await body(registry.getModulesOnDevice(DEVICE));
  count.same('list modules', listed.map((module) => module.moduleId).sort(), ['m1', 'm2']);
  await count.fails('create a module twice', 409, 'ModuleAlreadyExistsOnDevice',
    () => registry.addModule({ deviceId: DEVICE, moduleId: 'm1', authentication: sas() }));
  await count.fails('get a missing module', 404, 'ModuleNotFound',
    () => registry.getModule(DEVICE, 'none'));
  const changed = await body(registry.updateModule(
    { ...made, managedBy: 'you', authentication: sas(KEY_2, KEY_1) }, false));
  count.same('update a module', [keys(changed), changed.managedBy], [[KEY_2, KEY_1], 'you']);
  await count.fails('update a module with an old etag', 412, 'PreconditionFailed',
    () => registry.updateModule(made, false));
  const forced = await body(registry.updateModule({ ...made, managedBy: 'us' }, true));
  count.same('update a module whatever is there', forced.managedBy, 'us');

  const twin = await body(registry.getModuleTwin(DEVICE, 'm1'));
  count.same('get a module twin', [twin.deviceId, twin.moduleId], [DEVICE, 'm1']);
  await twin.update({ tags: { role: 'probe' }, properties: { desired: { rate: 5 } } });
  count.same('patch a module twin', [twin.tags, twin.properties.desired.rate],
    [{ role: 'probe' }, 5]);
  const query = registry.createQuery("SELECT * FROM devices.modules WHERE tags.role = 'probe'");
  count.same('query modules',
    (await query.nextAsTwin()).result.map((row) => [row.deviceId, row.moduleId]),
    [[DEVICE, 'm1']]);
  // With a module object the SDK forgets its promise's callback: it wants one of its own.
  await new Promise((done, fail) => {
    registry.removeModule(forced, (error) => (error ? fail(error) : done()));
  });
  await registry.removeModule(DEVICE, 'm2');
  count.same('remove modules', await body(registry.getModulesOnDevice(DEVICE)), []);
}

async function edges(registry, count) {
  const edge = { capabilities: { iotEdge: true }, status: 'enabled', authentication: sas() };
  const top = await body(registry.create({ deviceId: 'edge-top', ...edge }));
  count.ok('create an edge device', top.deviceScope.startsWith('ms-azure-iot-edge://edge-top-'));
  const parentScopes = [top.deviceScope];
  const leaf = await body(registry.create(
    { deviceId: 'edge-leaf', deviceScope: top.deviceScope, authentication: sas() }));
  count.same('a leaf has its parent', [leaf.deviceScope, leaf.parentScopes],
    [top.deviceScope, parentScopes]);
  const low = await body(registry.create({ deviceId: 'edge-low', ...edge, parentScopes }));
  count.same('an edge child has its parent', low.parentScopes, parentScopes);
  count.ok('and a scope of its own', low.deviceScope.startsWith('ms-azure-iot-edge://edge-low-'));
  const content = { modulesContent: { $edgeAgent: { 'properties.desired': { modules: {} } } } };
  await registry.applyConfigurationContentOnDevice('edge-top', content);
  const agent = await body(registry.getModuleTwin('edge-top', '$edgeAgent'));
  count.same('apply content to an edge device', agent.properties.desired.modules, {});
}

async function edgeDeletes(registry, count) {
  for (const id of ['edge-leaf', 'edge-low', 'edge-top']) {
    await registry.delete(id);
    count.ok(`delete ${id}`);
  }
}

module.exports = { edgeDeletes, edges, modules };
