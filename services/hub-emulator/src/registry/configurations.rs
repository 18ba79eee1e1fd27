//! Reads and writes of configurations.

use hubshift_azure::etag::IfMatch;
use hubshift_azure::{Configuration, ErrorCode};

use super::record::check_etag;
use super::{Registry, configuration, not_written};
use crate::answer::Refusal;

impl Registry {
    /// All of them in the order of their ids.
    pub(crate) fn configurations(&self) -> impl Iterator<Item = &Configuration> {
        self.configurations.values()
    }

    pub(crate) fn configuration(&self, id: &str) -> Result<&Configuration, Refusal> {
        self.configurations
            .get(id)
            .ok_or_else(|| Refusal::new(ErrorCode::ConfigurationNotFound, id))
    }

    /// PUT: without `If-Match` it must not be there, with it it must. A hub has no more than `most`.
    pub(crate) fn put_configuration(
        &mut self,
        id: &str,
        body: Configuration,
        if_match: Option<&IfMatch>,
        most: usize,
    ) -> Result<&Configuration, Refusal> {
        let new = match if_match {
            None => self.created_configuration(id, body, most)?,
            Some(if_match) => {
                let old = self.configuration(id)?.clone();
                check(&old, if_match)?;
                configuration::updated(&old, body, &mut self.marks)?
            }
        };
        if let Some(journal) = &mut self.journal {
            journal.put_configuration(&new).map_err(not_written)?;
        }
        self.configurations.insert(id.to_owned(), new);
        self.configuration(id)
    }

    /// DELETE. What a configuration has set stays set.
    pub(crate) fn delete_configuration(
        &mut self,
        id: &str,
        if_match: &IfMatch,
    ) -> Result<(), Refusal> {
        check(self.configuration(id)?, if_match)?;
        if let Some(journal) = &mut self.journal {
            journal.delete_configuration(id).map_err(not_written)?;
        }
        self.configurations.remove(id);
        Ok(())
    }

    fn created_configuration(
        &mut self,
        id: &str,
        body: Configuration,
        most: usize,
    ) -> Result<Configuration, Refusal> {
        if self.configurations.contains_key(id) {
            let words = format!("A configuration with ID '{id}' already exists.");
            return Err(Refusal::new(ErrorCode::ConfigurationAlreadyExists, words));
        }
        if self.configurations.len() >= most {
            let words = format!("this hub has at most {most} configurations");
            return Err(Refusal::new(
                ErrorCode::ConfigurationCountLimitExceeded,
                words,
            ));
        }
        configuration::created(id, body, &mut self.marks)
    }
}

fn check(configuration: &Configuration, if_match: &IfMatch) -> Result<(), Refusal> {
    let etag = configuration.etag.as_deref().unwrap_or_default();
    check_etag(if_match, etag, "Configuration version did not match")
}
