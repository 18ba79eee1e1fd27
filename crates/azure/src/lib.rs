//! The wire protocol of Azure IoT Hub, shared by the connector and the emulator.
