//! A blob that is written line by line: collected into blocks, put when one is full, committed at
//! the end. Until then readers see what was there before.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hubshift_azure::path;
use reqwest::Method;
use uuid::Uuid;

use crate::error::ContainerError;
use crate::store::{Call, Store};

/// How much is put at a time. 50,000 blocks are allowed: 400 GB.
const BLOCK: usize = 8 * 1024 * 1024;
/// How many characters of a block's id are the upload's own.
const UPLOAD_ID: usize = 24;

/// A blob that is being written. Dropped before [`BlobWriter::finish`], it was never written.
pub struct BlobWriter {
    store: Arc<Store>,
    name: String,
    upload: String,
    blocks: Vec<String>,
    buffer: Vec<u8>,
}

impl BlobWriter {
    pub(crate) fn new(store: Arc<Store>, name: &str) -> Self {
        let mut upload = Uuid::new_v4().simple().to_string();
        upload.truncate(UPLOAD_ID);
        Self {
            store,
            name: name.to_owned(),
            upload,
            blocks: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// Writes a line and its end.
    pub async fn line(&mut self, text: &str) -> Result<(), ContainerError> {
        self.buffer.extend_from_slice(text.as_bytes());
        self.buffer.push(b'\n');
        if self.buffer.len() >= BLOCK {
            self.put_block().await?;
        }
        Ok(())
    }

    /// Makes the blob what was written.
    pub async fn finish(mut self) -> Result<(), ContainerError> {
        if self.blocks.is_empty() {
            return self.store.put(&self.name, Bytes::from(self.buffer)).await;
        }
        if !self.buffer.is_empty() {
            self.put_block().await?;
        }
        let url = self.store.address.blob(&self.name, "comp=blocklist")?;
        let call = Call::new(Method::PUT, url).body(block_list(&self.blocks).into());
        self.store.send(&call).await?.ok().map(|_| ())
    }

    async fn put_block(&mut self) -> Result<(), ContainerError> {
        let id = block_id(&self.upload, self.blocks.len());
        let operation = format!("comp=block&blockid={}", path::encode_segment(&id));
        let url = self.store.address.blob(&self.name, &operation)?;
        let body = Bytes::from(std::mem::take(&mut self.buffer));
        let call = Call::new(Method::PUT, url).body(body);
        self.store.send(&call).await?.ok()?;
        self.blocks.push(id);
        Ok(())
    }
}

/// All ids of a blob must be of one length, those of uploads that were left unfinished too: 32
/// characters before encoding are what most tools have.
fn block_id(upload: &str, index: usize) -> String {
    STANDARD.encode(format!("{upload}{index:08}"))
}

fn block_list(ids: &[String]) -> String {
    let blocks: String = ids
        .iter()
        .map(|id| format!("<Latest>{id}</Latest>"))
        .collect();
    format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{blocks}</BlockList>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_ids_are_of_one_length() {
        let upload = "0".repeat(UPLOAD_ID);
        let ids = [0, 9, 49_999].map(|index| block_id(&upload, index));
        assert!(ids.iter().all(|id| id.len() == 44), "{ids:?}");
        assert_eq!(STANDARD.decode(&ids[0]).unwrap().len(), 32);
    }

    #[test]
    fn a_block_list_names_the_blocks_in_order() {
        let list = block_list(&["a".to_owned(), "b".to_owned()]);
        assert!(list.ends_with("<BlockList><Latest>a</Latest><Latest>b</Latest></BlockList>"));
    }
}
