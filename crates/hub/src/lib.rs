//! The `Hub` trait and the connector to Azure IoT Hub.
