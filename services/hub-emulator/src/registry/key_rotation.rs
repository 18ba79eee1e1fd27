//! New keys for an identity, made by the hub. Nothing else of it changes but its etag.

use hubshift_azure::{KeyOwner, PolicyKey, RotatedKeys};

use super::authentication::{rotated, with_keys};
use super::{ModuleRecord, Record, Registry};
use crate::answer::Refusal;

impl Registry {
    /// Makes new keys for a device or a module and says what both keys are now.
    pub(crate) fn rotate_keys(
        &mut self,
        owner: &KeyOwner,
        which: PolicyKey,
    ) -> Result<RotatedKeys, Refusal> {
        let old = match &owner.module_id {
            None => &self.get(&owner.id)?.authentication,
            Some(module_id) => &self.module((&owner.id, module_id))?.authentication,
        };
        let (primary_key, secondary_key) = rotated(old, which)?;
        let keys = RotatedKeys {
            owner: owner.clone(),
            primary_key,
            secondary_key,
        };
        self.commit_keys(&keys)?;
        Ok(keys)
    }

    fn commit_keys(&mut self, keys: &RotatedKeys) -> Result<(), Refusal> {
        let id = &keys.owner.id;
        let authentication = with_keys(keys.primary_key.clone(), keys.secondary_key.clone());
        let etag = self.marks.etag();
        match &keys.owner.module_id {
            None => {
                let old = self.get(id)?.clone();
                self.commit(Record {
                    authentication,
                    etag,
                    ..old
                })
            }
            Some(module_id) => {
                let old = self.module((id, module_id))?.clone();
                let module = ModuleRecord {
                    authentication,
                    etag,
                    ..old
                };
                self.commit_module(id, module)
            }
        }
    }
}
