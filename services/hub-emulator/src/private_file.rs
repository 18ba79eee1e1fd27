//! Files that only their owner may read: the journal and the private key have secrets in them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Opens a file to append to; makes it if there is none.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    options().append(true).create(true).open(path)
}

/// Replaces a file as a whole: there is the old one or the new one, never half of either.
pub(crate) fn replace(
    path: &Path,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let temporary = Path::new(&name);
    // A left-over of an earlier run could be readable by others.
    match std::fs::remove_file(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut writer = io::BufWriter::new(options().write(true).create_new(true).open(temporary)?);
    write(&mut writer)?;
    writer.flush()?;
    writer.get_ref().sync_all()?;
    std::fs::rename(temporary, path)
}
