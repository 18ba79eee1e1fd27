//! `DeviceService`.

use std::sync::Arc;

use hubshift_api::fault;
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::device_service_server::{DeviceService, DeviceServiceServer};
use hubshift_api::validate::Checks;
use hubshift_shell::Caller;
use hubshift_store::page;
use prost::Message;
use tonic::{Request, Response, Status};

use crate::app::devices::{Devices, request};
use crate::deps::Deps;

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct DeviceRpc {
    devices: Devices,
}

/// The service, to be added to a server.
pub(crate) fn server(deps: Arc<Deps>) -> DeviceServiceServer<DeviceRpc> {
    DeviceServiceServer::new(DeviceRpc {
        devices: Devices::new(deps),
    })
}

impl DeviceRpc {
    async fn change<T: Message + Default>(
        &self,
        request: &request::Request,
    ) -> Result<Response<T>, Status> {
        let answer = self.devices.change(request).await?;
        let answer = T::decode(answer.as_slice()).map_err(|_| fault::internal())?;
        Ok(Response::new(answer))
    }
}

#[tonic::async_trait]
impl DeviceService for DeviceRpc {
    async fn get_device(
        &self,
        request: Request<pb::GetDeviceRequest>,
    ) -> Result<Response<pb::Device>, Status> {
        let mut checks = Checks::new();
        let name = checks.device_name("name", &request.get_ref().name);
        let (fleet, device) = checks.require(name)?;
        Ok(Response::new(self.devices.get(&fleet, &device).await?))
    }

    async fn list_devices(
        &self,
        request: Request<pb::ListDevicesRequest>,
    ) -> Result<Response<pb::ListDevicesResponse>, Status> {
        let message = request.into_inner();
        let list = format!("{}/devices", message.parent);
        let mut checks = Checks::new();
        let fleet = checks.fleet("parent", &message.parent);
        let limit = checks.page_size(message.page_size);
        let after = page::parse::<String>(&list, &message.page_token);
        if let Err(error) = &after {
            checks.violation("page_token", error.to_string());
        }
        let fleet = checks.require(fleet)?;
        let after = after.ok().flatten().unwrap_or_default();
        let listed = self.devices.list(&fleet, &after, limit).await?;
        let next = listed.next.map(|last| page::token(&list, &last));
        Ok(Response::new(pb::ListDevicesResponse {
            devices: listed.devices,
            next_page_token: next.unwrap_or_default(),
        }))
    }

    async fn create_device(
        &self,
        request: Request<pb::CreateDeviceRequest>,
    ) -> Result<Response<pb::Device>, Status> {
        let caller = Caller::of(&request);
        self.change(&request::create(&caller.name, request.get_ref())?)
            .await
    }

    async fn update_device(
        &self,
        request: Request<pb::UpdateDeviceRequest>,
    ) -> Result<Response<pb::Device>, Status> {
        let caller = Caller::of(&request);
        self.change(&request::update(&caller.name, request.get_ref())?)
            .await
    }

    async fn delete_device(
        &self,
        request: Request<pb::DeleteDeviceRequest>,
    ) -> Result<Response<pb::DeleteDeviceResponse>, Status> {
        let caller = Caller::of(&request);
        self.change(&request::delete(&caller.name, request.get_ref())?)
            .await
    }

    async fn get_device_credentials(
        &self,
        request: Request<pb::GetDeviceCredentialsRequest>,
    ) -> Result<Response<pb::DeviceCredentials>, Status> {
        let caller = Caller::of(&request);
        let mut checks = Checks::new();
        let name = checks.device_name("name", &request.get_ref().name);
        let (fleet, device) = checks.require(name)?;
        let who = caller.to_string();
        Ok(Response::new(
            self.devices.credentials(&fleet, &device, &who).await?,
        ))
    }
}
