"""Microsoft's own Python SDK, unmodified, against a hub.

Usage: registry_sdk.py CONNECTION_STRING

Needs azure-iot-hub==2.7.0 and six. REQUESTS_CA_BUNDLE names the certificates to trust.
HUBSHIFT_BLOB_SAS_URI, if set, is a container's URI with a SAS, for import and export.
Every answer is asserted. Prints "N operations ok" last and exits with 1 on the first failure.
The hub must be empty; it is left empty.
"""

import os
import sys

# The checkout stays as it is.
sys.dont_write_bytecode = True

from azure.iot.hub import IoTHubRegistryManager  # noqa: E402

from python_parts.bulk_and_query import bulk, queries  # noqa: E402
from python_parts.configurations import configurations  # noqa: E402
from python_parts.count import Count  # noqa: E402
from python_parts.edges import edge_deletes, edges  # noqa: E402
from python_parts.identities import deletes, identities  # noqa: E402
from python_parts.jobs import import_and_export, scheduled_jobs  # noqa: E402
from python_parts.modules import modules  # noqa: E402
from python_parts.twins import twins  # noqa: E402


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    connection_string = sys.argv[1]
    hub, count = IoTHubRegistryManager.from_connection_string(connection_string), Count()
    for part in (identities, twins, bulk, queries, modules, edges):
        part(hub, count)
    configurations(connection_string, hub, count)
    scheduled_jobs(connection_string, hub, count)
    import_and_export(connection_string, hub, count, os.environ.get("HUBSHIFT_BLOB_SAS_URI"))
    edge_deletes(hub, count)
    deletes(hub, count)
    print("%d operations ok" % count.done)
    return 0


if __name__ == "__main__":
    sys.exit(main())
