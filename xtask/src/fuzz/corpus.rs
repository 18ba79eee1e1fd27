//! The corpus in git: seeds, which people wrote (`fuzz/seeds.py`), and what a fuzzer found beside
//! them, which has a hash for a name.
//!
//! Kept true: seeds stay; it stays small, however much was found.

use std::path::{Path, PathBuf};

/// Beside the seeds it has at most so many files.
const MOST_FILES: usize = 150;
/// They are at most so many bytes together.
const MOST_BYTES: u64 = 200_000;
/// Digits of the hash that libFuzzer names a file by.
const HASH_DIGITS: usize = 40;

/// How many files, and how many bytes.
pub(super) fn size(folder: &Path) -> anyhow::Result<(usize, u64)> {
    let files = files(folder)?;
    let bytes = files.iter().map(|(bytes, _)| bytes).sum();
    Ok((files.len(), bytes))
}

/// Copies the seeds alone.
pub(super) fn copy_seeds(corpus: &Path, into: &Path) -> anyhow::Result<()> {
    let files = files(corpus)?.into_iter();
    for (_, seed) in files.filter(|(_, path)| !is_found(path)) {
        copy(&seed, into)?;
    }
    Ok(())
}

/// Puts what was found into the corpus, in the place of what was found before: the smallest first, as
/// far as there is room.
pub(super) fn replace(corpus: &Path, fresh: &Path) -> anyhow::Result<()> {
    for (_, before) in files(corpus)? {
        if is_found(&before) {
            std::fs::remove_file(before)?;
        }
    }
    let mut found = files(fresh)?;
    found.retain(|(_, path)| is_found(path));
    found.sort();
    for path in fitting(found) {
        copy(&path, corpus)?;
    }
    Ok(())
}

/// The first ones, as far as there is room.
fn fitting(files: Vec<(u64, PathBuf)>) -> Vec<PathBuf> {
    let mut left = MOST_BYTES;
    let fits = |(bytes, path): (u64, PathBuf)| {
        left = left.checked_sub(bytes)?;
        Some(path)
    };
    files.into_iter().map_while(fits).take(MOST_FILES).collect()
}

fn is_found(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let is_hash =
        |name: &str| name.len() == HASH_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.is_some_and(is_hash)
}

fn copy(file: &Path, into: &Path) -> anyhow::Result<()> {
    if let Some(name) = file.file_name() {
        std::fs::copy(file, into.join(name))?;
    }
    Ok(())
}

/// The files of a folder, with their sizes.
fn files(folder: &Path) -> anyhow::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        files.push((entry.metadata()?.len(), entry.path()));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: usize) -> String {
        format!("{number:040x}")
    }

    #[test]
    fn what_was_found_gives_way_and_seeds_stay() {
        let (corpus, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let write = |folder: &Path, name: &str| std::fs::write(folder.join(name), name).unwrap();
        write(corpus.path(), "a-poll");
        write(corpus.path(), &hash(1));
        copy_seeds(corpus.path(), fresh.path()).unwrap();
        assert_eq!(size(fresh.path()).unwrap(), (1, 6));
        write(fresh.path(), &hash(2));
        replace(corpus.path(), fresh.path()).unwrap();
        assert!(corpus.path().join("a-poll").exists());
        assert!(!corpus.path().join(hash(1)).exists());
        assert!(corpus.path().join(hash(2)).exists());
    }

    fn some(bytes: u64, count: usize) -> Vec<(u64, PathBuf)> {
        (0..count).map(|at| (bytes, hash(at).into())).collect()
    }

    #[test]
    fn the_corpus_stays_small() {
        assert_eq!(fitting(some(10, 1_000)).len(), MOST_FILES);
        assert_eq!(fitting(some(MOST_BYTES / 2, 10)).len(), 2);
    }
}
