//! Who runs the server. PostgreSQL refuses root, so as root we drop to `postgres`, else `nobody`;
//! as anybody else we stay who we are.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::error::PgError;

/// The user that the server's programs run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// The user to drop to; `None` when we are not root and need not drop anything.
    pub(crate) fn substitute() -> Result<Option<Self>, PgError> {
        if !is_root()? {
            return Ok(None);
        }
        let passwd =
            std::fs::read_to_string("/etc/passwd").map_err(PgError::io("read /etc/passwd"))?;
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| find(&passwd, name))
            .map(Some)
            .ok_or(PgError::NoAccount)
    }

    /// Makes a command run as this user. With a uid to change to, the standard library also drops
    /// root's supplementary groups.
    pub(crate) fn run(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Gives a file or a directory to this user.
    pub(crate) fn own(&self, path: &Path) -> Result<(), PgError> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid)).map_err(PgError::io(
            format!("give {} to {}", path.display(), self.name),
        ))
    }
}

/// Whether we are root. The standard library can't tell, `id` can.
pub(crate) fn is_root() -> Result<bool, PgError> {
    let output = Command::new("id")
        .arg("-u")
        .output()
        .map_err(PgError::io("ask id who we are"))?;
    Ok(output.stdout.trim_ascii() == b"0")
}

fn find(passwd: &str, name: &str) -> Option<Account> {
    let line = passwd
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    let uid = fields.next()?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    // An account that is root by another name would be refused as well.
    (uid != 0).then(|| Account {
        name: name.to_owned(),
        uid,
        gid,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
                          nobody:x:65534:65533:nobody:/:/usr/sbin/nologin\n\
                          toor:x:0:0::/:/bin/sh\n\
                          broken:x:many\n";

    #[test]
    fn finds_ids_by_exact_name() {
        let nobody = find(PASSWD, "nobody").unwrap();
        assert_eq!((nobody.uid, nobody.gid), (65534, 65533));
        assert_eq!(find(PASSWD, "nob"), None);
    }

    #[test]
    fn refuses_root_by_another_name_and_broken_lines() {
        assert_eq!(find(PASSWD, "toor"), None);
        assert_eq!(find(PASSWD, "broken"), None);
    }
}
