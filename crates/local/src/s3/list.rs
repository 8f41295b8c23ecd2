//! ListObjectsV2 over a folder.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

use s3s::S3Result;
use s3s::dto::{CommonPrefix, ListObjectsV2Input, ListObjectsV2Output, Object, Timestamp};

use super::files::{is_absence, is_key, refusal};

/// As many as S3 gives at once.
const MAX_KEYS: i32 = 1000;

/// One page of a bucket's objects, in the order of their keys. Each page walks the folder anew.
pub(super) fn page(bucket: &Path, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let after = input.continuation_token.as_deref().or(input.start_after.as_deref()).unwrap_or_default();
    let max_keys = input.max_keys.unwrap_or(MAX_KEYS).clamp(0, MAX_KEYS);

    let mut found = BTreeMap::new();
    // Whole folders that the prefix names need not be walked from the top.
    let folder = prefix.rfind('/').map_or("", |slash| &prefix[..slash]);
    if !folder.is_empty() && !is_key(folder) {
        return Ok(ListObjectsV2Output { name: Some(input.bucket), key_count: Some(0), ..Default::default() });
    }
    walk(&bucket.join(folder), folder, &mut |key, metadata| {
        if !key.starts_with(prefix) {
            return;
        }
        let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
        match delimiter
            .and_then(|delimiter| Some(prefix.len() + key[prefix.len()..].find(delimiter)? + delimiter.len()))
        {
            Some(end) => found.insert(key[..end].to_owned(), None),
            None => found.insert(key, Some(metadata)),
        };
    })
    .map_err(refusal)?;

    let mut rest = found.into_iter().filter(|(name, _)| name.as_str() > after).peekable();
    let mut output = ListObjectsV2Output { max_keys: Some(max_keys), ..Default::default() };
    let (mut contents, mut common_prefixes, mut last) = (Vec::new(), Vec::new(), None);
    for (name, metadata) in rest.by_ref().take(usize::try_from(max_keys).unwrap_or_default()) {
        last = Some(name.clone());
        match metadata {
            Some(metadata) => contents.push(object(name, &metadata)),
            None => common_prefixes.push(CommonPrefix { prefix: Some(name) }),
        }
    }
    let is_truncated = last.is_some() && rest.peek().is_some();
    drop(rest);
    output.key_count = i32::try_from(contents.len() + common_prefixes.len()).ok();
    output.contents = Some(contents);
    output.common_prefixes = Some(common_prefixes);
    output.is_truncated = Some(is_truncated);
    output.next_continuation_token = last.filter(|_| is_truncated);
    output.name = Some(input.bucket);
    output.prefix = input.prefix;
    output.delimiter = input.delimiter;
    output.continuation_token = input.continuation_token;
    output.start_after = input.start_after;
    Ok(output)
}

fn object(key: String, metadata: &Metadata) -> Object {
    Object {
        key: Some(key),
        size: i64::try_from(metadata.len()).ok(),
        last_modified: metadata.modified().ok().map(Timestamp::from),
        ..Default::default()
    }
}

/// Visits every file under `folder`, whose key so far is `prefix`. What vanishes meanwhile is passed over.
fn walk(folder: &Path, prefix: &str, visit: &mut impl FnMut(String, Metadata)) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if is_absence(&error) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let key = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        match entry.metadata() {
            Err(error) if is_absence(&error) => {}
            Err(error) => return Err(error),
            Ok(metadata) if metadata.is_dir() => walk(&entry.path(), &key, visit)?,
            Ok(metadata) => visit(key, metadata),
        }
    }
    Ok(())
}
