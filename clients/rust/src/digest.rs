use bytes::Bytes;
use sha2::{Digest, Sha256};

pub(crate) fn sha256(data: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&Sha256::digest(data))
}

#[cfg(test)]
mod tests {
    #[test]
    fn known_digests() {
        let sha256 = super::sha256(b"abc");
        assert_eq!(sha256[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(sha256.len(), 32);
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }
}
