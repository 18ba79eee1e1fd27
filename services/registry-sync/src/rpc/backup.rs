//! `BackupService`.

use std::sync::Arc;

use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::backup_service_server::{BackupService, BackupServiceServer};
use hubshift_api::validate::Checks;
use hubshift_api::{fault, times};
use hubshift_domain::hub_state::HubState;
use hubshift_domain::id::FleetId;
use hubshift_flow::Workflow as _;
use hubshift_shell::Caller;
use hubshift_store::{StoreError, page};
use time::OffsetDateTime;
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use super::task::{NewTask, start};
use super::{context, find};
use crate::backup::Vault;
use crate::backup::read::{Reading, check_all};
use crate::deps::Deps;
use crate::seal::KeyError;
use crate::store;
use crate::store::backup::BackupRow;
use crate::workflows::backup::{self, BackupTask, NO_VAULT};
use crate::workflows::restore::{self, RestoreTask};

/// How a backup is named.
const PATTERN: &str = "fleets/{fleet}/backups/{backup}";

/// The service.
#[derive(Debug)]
pub(crate) struct Backups {
    deps: Arc<Deps>,
}

/// The service, to be added to a server.
pub(crate) fn server(deps: Arc<Deps>) -> BackupServiceServer<Backups> {
    BackupServiceServer::new(Backups { deps })
}

#[tonic::async_trait]
impl BackupService for Backups {
    async fn create_backup(
        &self,
        request: Request<pb::CreateBackupRequest>,
    ) -> Result<Response<pb::Task>, Status> {
        tracing::info!(method = "CreateBackup", caller = %Caller::of(&request), "called");
        self.create(request.into_inner()).await.map(Response::new)
    }

    async fn get_backup(
        &self,
        request: Request<pb::GetBackupRequest>,
    ) -> Result<Response<pb::Backup>, Status> {
        let (fleet, row) = self.named(&request.get_ref().name).await?;
        Ok(Response::new(message(&fleet, row)))
    }

    async fn list_backups(
        &self,
        request: Request<pb::ListBackupsRequest>,
    ) -> Result<Response<pb::ListBackupsResponse>, Status> {
        self.list(request.into_inner()).await.map(Response::new)
    }

    async fn verify_backup(
        &self,
        request: Request<pb::VerifyBackupRequest>,
    ) -> Result<Response<pb::VerifyBackupResponse>, Status> {
        tracing::info!(method = "VerifyBackup", caller = %Caller::of(&request), "called");
        self.verify(&request.get_ref().name)
            .await
            .map(Response::new)
    }

    async fn restore_backup(
        &self,
        request: Request<pb::RestoreBackupRequest>,
    ) -> Result<Response<pb::Task>, Status> {
        tracing::info!(method = "RestoreBackup", caller = %Caller::of(&request), "called");
        self.restore(request.into_inner()).await.map(Response::new)
    }
}

impl Backups {
    async fn create(&self, mut body: pb::CreateBackupRequest) -> Result<pb::Task, Status> {
        let step = body.context.take();
        let mut checks = Checks::new();
        let fleet = checks.fleet("parent", &body.parent);
        let hub = checks.hub("hub", &body.hub);
        let request_id = checks.request_id(&body.request_id);
        let ((fleet, hub), request_id) = checks.require(fleet.zip(hub).zip(request_id))?;
        self.vault()?;
        context::admit(&self.deps.pool, step.as_ref()).await?;
        let view = find::fleet(&self.deps, &fleet).await?;
        find::connected(&self.deps, &view, &hub).await?;
        let state = backup::State::new(fleet.clone(), hub);
        let new = NewTask {
            kind: BackupTask::KIND,
            fleet: &fleet,
            request_id,
            method: "CreateBackup",
            first: backup::Step::Begin,
            state: &state,
        };
        start(&self.deps, &body, new).await
    }

    async fn restore(&self, body: pb::RestoreBackupRequest) -> Result<pb::Task, Status> {
        let mut checks = Checks::new();
        let name = checks.child("name", &body.name, "backups", PATTERN);
        let target = checks.hub("target_hub", &body.target_hub);
        let request_id = checks.request_id(&body.request_id);
        let (((fleet, id), target), request_id) =
            checks.require(name.zip(target).zip(request_id))?;
        let vault = self.vault()?;
        let view = find::fleet(&self.deps, &fleet).await?;
        find::connected(&self.deps, &view, &target).await?;
        opens_with(vault, &self.row(&fleet, id).await?)?;
        let standby = view.hub(&target).map(|hub| hub.state);
        if !matches!(standby, Some(HubState::Syncing | HubState::Ready)) {
            let text = format!("hub `{target}` is no standby; restore to a syncing or ready hub");
            return Err(fault::status(
                Code::FailedPrecondition,
                "HUB_NOT_STANDBY",
                text,
            ));
        }
        let state = restore::State::new(fleet.clone(), target, id);
        let new = NewTask {
            kind: RestoreTask::KIND,
            fleet: &fleet,
            request_id,
            method: "RestoreBackup",
            first: restore::Step::Begin,
            state: &state,
        };
        start(&self.deps, &body, new).await
    }

    async fn list(
        &self,
        request: pb::ListBackupsRequest,
    ) -> Result<pb::ListBackupsResponse, Status> {
        let mut checks = Checks::new();
        let fleet = checks.fleet("parent", &request.parent);
        let size = checks.page_size(request.page_size);
        let list = format!("backups/{}", request.parent);
        let before = page::parse::<(OffsetDateTime, Uuid)>(&list, &request.page_token);
        if let Err(error) = &before {
            checks.violation("page_token", error.to_string());
        }
        let fleet = checks.require(fleet)?;
        let before = before.ok().flatten();
        find::fleet(&self.deps, &fleet).await?;
        let mut connection = self.deps.pool.acquire().await.map_err(StoreError::from)?;
        let mut rows = store::backup::list(&mut connection, &fleet, before, size + 1).await?;
        let size = usize::try_from(size).unwrap_or(1);
        let has_more = rows.len() > size;
        rows.truncate(size);
        let next_page_token = match rows.last() {
            Some(last) if has_more => page::token(&list, &(last.create_time, last.backup_id)),
            _ => String::new(),
        };
        let backups = rows.into_iter().map(|row| message(&fleet, row)).collect();
        Ok(pb::ListBackupsResponse {
            backups,
            next_page_token,
        })
    }

    async fn verify(&self, name: &str) -> Result<pb::VerifyBackupResponse, Status> {
        let vault = self.vault()?;
        let (fleet, row) = self.named(name).await?;
        opens_with(vault, &row)?;
        let keys = self.deps.keys(&fleet).await.map_err(|error| match error {
            KeyError::Store(error) => error.into(),
            other => {
                tracing::error!(
                    error = &other as &dyn std::error::Error,
                    "fleet keys unusable"
                );
                fault::internal()
            }
        })?;
        let readings = check_all(vault, &keys, &fleet, &row.manifest, &row.stores).await;
        let stores: Vec<String> = readings.iter().map(word).collect();
        if readings.iter().all(|reading| reading.result.is_err()) {
            let text = format!(
                "no store holds the backup as it was written: {}",
                stores.join("; ")
            );
            return Err(fault::status(
                Code::FailedPrecondition,
                "BACKUP_CORRUPT",
                text,
            ));
        }
        let mut connection = self.deps.pool.acquire().await.map_err(StoreError::from)?;
        store::backup::verified(&mut connection, row.backup_id).await?;
        Ok(pb::VerifyBackupResponse {
            stores,
            record_count: row.manifest.record_count,
            digest: row.manifest.digest,
        })
    }

    fn vault(&self) -> Result<&Vault, Status> {
        let missing = || fault::status(Code::FailedPrecondition, "BACKUP_KEY_MISSING", NO_VAULT);
        self.deps.vault.as_ref().ok_or_else(missing)
    }

    async fn named(&self, name: &str) -> Result<(FleetId, BackupRow), Status> {
        let mut checks = Checks::new();
        let name = checks.child("name", name, "backups", PATTERN);
        let (fleet, id) = checks.require(name)?;
        let row = self.row(&fleet, id).await?;
        Ok((fleet, row))
    }

    async fn row(&self, fleet: &FleetId, id: Uuid) -> Result<BackupRow, Status> {
        let mut connection = self.deps.pool.acquire().await.map_err(StoreError::from)?;
        let row = store::backup::find(&mut connection, fleet, id).await?;
        row.ok_or_else(|| {
            let text = format!("there is no backup {id} of fleet {fleet}");
            fault::status(Code::NotFound, "BACKUP_NOT_FOUND", text)
        })
    }
}

fn opens_with(vault: &Vault, row: &BackupRow) -> Result<(), Status> {
    if row.key_id == vault.key.id() {
        return Ok(());
    }
    let text = format!(
        "the backup opens with key {} only; configure it as backup_key",
        row.key_id
    );
    Err(fault::status(
        Code::FailedPrecondition,
        "BACKUP_KEY_MISSING",
        text,
    ))
}

fn word(reading: &Reading) -> String {
    match &reading.result {
        Ok(()) => format!("{}: ok", reading.store),
        Err(error) => format!("{}: {error}", reading.store),
    }
}

fn message(fleet: &FleetId, row: BackupRow) -> pb::Backup {
    pb::Backup {
        name: fleet.child_name("backups", row.backup_id),
        hub: row.hub_id,
        record_count: row.record_count,
        digest: row.manifest.digest,
        key_id: row.key_id,
        stores: row.stores,
        epoch: row.epoch.0,
        create_time: Some(times::timestamp(row.create_time)),
        verify_time: row.verify_time.map(times::timestamp),
    }
}
