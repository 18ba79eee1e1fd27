"""Configurations: create, change, list, test their queries, apply to an edge device."""

from azure.iot.hub import IoTHubConfigurationManager
from azure.iot.hub.models import (
    Configuration, ConfigurationContent, ConfigurationMetrics, ConfigurationQueriesTestInput)


def quoted(etag):
    """The SDK sends it as it is, and the real hub takes a configuration's etag in quotes only."""
    return '"%s"' % etag


def draft():
    return Configuration(
        id="config-1", schema_version="1.0", labels={"made": "by the test"}, priority=5,
        target_condition="tags.bulk = 'changed'",
        content=ConfigurationContent(device_content={"properties.desired.rate": 5}),
        metrics=ConfigurationMetrics(queries={"all": "SELECT deviceId FROM devices"}))


def configurations(connection_string, hub, count):
    manager = IoTHubConfigurationManager.from_connection_string(connection_string)
    made = manager.create_configuration(draft())
    count.ok("create a configuration", made.etag and made.priority == 5
             and made.content.device_content == {"properties.desired.rate": 5})
    count.ok("get a configuration",
             manager.get_configuration("config-1").labels == {"made": "by the test"})
    count.fails("create a configuration twice", 409, "ConfigurationAlreadyExists",
                lambda: manager.create_configuration(draft()))
    count.fails("get a missing configuration", 404, "ConfigurationNotFound",
                lambda: manager.get_configuration("none"))
    count.ok("list configurations", [c.id for c in manager.get_configurations()] == ["config-1"])
    count.ok("list one configuration", len(manager.get_configurations(1)) == 1)

    made.priority = 9
    changed = manager.update_configuration(made, quoted(made.etag))
    count.ok("update a configuration", changed.priority == 9 and changed.etag != made.etag)
    count.fails("update a configuration with an old etag", 412, "PreconditionFailed",
                lambda: manager.update_configuration(made, quoted(made.etag)))

    good = ConfigurationQueriesTestInput(
        target_condition="tags.bulk = 'changed'",
        custom_metric_queries={"all": "SELECT deviceId FROM devices WHERE tags.bulk = 'x'"})
    tested = manager.test_configuration_queries(good)
    count.ok("test good queries",
             not tested.target_condition_error and not tested.custom_metric_query_errors)
    bad = ConfigurationQueriesTestInput(target_condition="tags.bulk ===", custom_metric_queries={})
    count.ok("test a bad query", manager.test_configuration_queries(bad).target_condition_error)
    apply(manager, hub, count)

    manager.delete_configuration("config-1", quoted(changed.etag))
    count.ok("delete a configuration", manager.get_configurations() == [])
    count.fails("delete a missing configuration", 404, "ConfigurationNotFound",
                lambda: manager.delete_configuration("config-1", quoted("*")))


def apply(manager, hub, count):
    content = ConfigurationContent(modules_content={
        "$edgeAgent": {"properties.desired": {"schemaVersion": "1.1", "modules": {}}},
        "$edgeHub": {"properties.desired": {"schemaVersion": "1.1", "routes": {"up": "FROM /*"}}},
    })
    manager.apply_configuration_on_edge_device("edge-top", content)
    agent = hub.get_module_twin("edge-top", "$edgeAgent").properties.desired
    router = hub.get_module_twin("edge-top", "$edgeHub").properties.desired
    count.ok("apply content to an edge device", agent["schemaVersion"] == "1.1"
             and router["routes"] == {"up": "FROM /*"})
    count.fails("apply content to a missing device", 404, "DeviceNotFound",
                lambda: manager.apply_configuration_on_edge_device("none", content))
