//! Aggregated records, written by hand.

use crate::pack::sealed;

/// An aggregated record of user records: (index of the partition key, data).
pub(crate) fn aggregated<K: AsRef<str>, T: AsRef<[u8]>>(partition_keys: &[K], user_records: &[(u64, T)]) -> Vec<u8> {
    let mut body = Vec::new();
    for key in partition_keys {
        field(&mut body, 1, key.as_ref().as_bytes());
    }
    for (partition_key_index, data) in user_records {
        let mut user_record = vec![1 << 3];
        varint(&mut user_record, *partition_key_index);
        field(&mut user_record, 3, data.as_ref());
        field(&mut body, 3, &user_record);
    }
    sealed(&body)
}

/// A length-delimited field.
fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}
