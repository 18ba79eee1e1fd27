'use strict';
// Configurations: create, change, list, remove.

const { body } = require('./count.js');

function draft() {
  return {
    id: 'config-1',
    schemaVersion: '1.0',
    labels: { made: 'by the test' },
    content: { deviceContent: { 'properties.desired.rate': 5 } },
    targetCondition: "tags.bulk = 'bulk-02'",
    priority: 5,
    metrics: { queries: { all: 'SELECT deviceId FROM devices' } },
  };
}

async function configurations(registry, count) {
  const made = await body(registry.addConfiguration(draft()));
  count.same('create a configuration', [made.priority, made.content.deviceContent],
    [5, { 'properties.desired.rate': 5 }]);
  await count.fails('create a configuration twice', 409, 'ConfigurationAlreadyExists',
    () => registry.addConfiguration(draft()));
  count.same('get a configuration',
    (await body(registry.getConfiguration('config-1'))).labels, { made: 'by the test' });
  await count.fails('get a missing configuration', 404, 'ConfigurationNotFound',
    () => registry.getConfiguration('none'));
  const changed = await body(registry.updateConfiguration({ ...made, priority: 9 }, false));
  count.same('update a configuration', changed.priority, 9);
  await count.fails('update a configuration with an old etag', 412, 'PreconditionFailed',
    () => registry.updateConfiguration({ ...made, priority: 7 }, false));
  const forced = await body(registry.updateConfiguration({ ...made, priority: 8 }, true));
  count.same('update a configuration whatever is there', forced.priority, 8);
  const listed = await body(registry.getConfigurations());
  count.same('list configurations', listed.map((one) => one.id), ['config-1']);
  await registry.removeConfiguration('config-1');
  count.same('remove a configuration', await body(registry.getConfigurations()), []);
}

module.exports = { configurations };
