//! What is wrong with a private key, by its looks. Nothing of its text is part of any message.

/// Why a text is no key that Snowflake's log-in takes, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyFault {
    /// Reads on from "failed to use the private key: it is".
    pub(crate) what: &'static str,
    /// A command may name the key's file, as `<key>`.
    pub(crate) remedy: &'static str,
}

const NO_PEM: KeyFault = KeyFault {
    what: "no PEM text",
    remedy: "give it as unencrypted PKCS#8 PEM, which begins with -----BEGIN PRIVATE KEY-----; a new one: openssl genrsa 2048 \
             | openssl pkcs8 -topk8 -nocrypt -out landfall_key.p8",
};
const BINARY: KeyFault = KeyFault {
    what: "binary and no PEM text",
    remedy: "convert it, if it is DER, and give the result: openssl pkcs8 -topk8 -nocrypt -inform DER -in <key> -out landfall_key.p8",
};
const JSON: KeyFault =
    KeyFault { what: "inside of JSON", remedy: "store the PEM text alone: as plaintext, not as key and value" };
const ENCRYPTED: KeyFault = KeyFault {
    what: "encrypted",
    remedy: "decrypt it and give the result: openssl pkcs8 -topk8 -nocrypt -in <key> -out landfall_key.p8 (it asks for the passphrase)",
};
const PKCS1: KeyFault = KeyFault {
    what: "PKCS#1 (-----BEGIN RSA PRIVATE KEY-----) and not PKCS#8",
    remedy: "convert it and give the result: openssl pkcs8 -topk8 -nocrypt -in <key> -out landfall_key.p8",
};
const OPENSSH: KeyFault = KeyFault {
    what: "in OpenSSH's format and not PKCS#8",
    remedy: "convert a copy of it in its place: ssh-keygen -p -m PKCS8 -N '' -f <copy>",
};
const PUBLIC: KeyFault = KeyFault {
    what: "the public key",
    remedy: "give the private one that it was made from, which begins with -----BEGIN PRIVATE KEY-----; the public one is \
             for ALTER USER … SET RSA_PUBLIC_KEY",
};
const CERTIFICATE: KeyFault = KeyFault {
    what: "a certificate",
    remedy: "give the private key alone, which begins with -----BEGIN PRIVATE KEY-----",
};
const OTHER: KeyFault = KeyFault {
    what: "another kind of PEM",
    remedy: "give an RSA key, which begins with -----BEGIN PRIVATE KEY-----; a new one: openssl genrsa 2048 | openssl pkcs8 \
             -topk8 -nocrypt -out landfall_key.p8",
};
const ONE_LINE: KeyFault = KeyFault {
    what: "without its line breaks",
    remedy: "store it as it stands in its file, for example with aws secretsmanager put-secret-value --secret-id … \
             --secret-string file://landfall_key.p8",
};

/// The most characters that PEM has in a line.
const LINE_LENGTH: usize = 64;

/// What is wrong with a key, as far as one can see without decoding it: log-in does that.
pub(crate) fn fault(text: &str) -> Option<KeyFault> {
    let text = text.trim();
    let Some((before, rest)) = text.split_once("-----BEGIN ") else {
        return Some(if text.contains('\u{fffd}') { BINARY } else { NO_PEM });
    };
    match rest.split("-----").next().unwrap_or_default() {
        _ if before.trim_start().starts_with('{') => Some(JSON),
        "PRIVATE KEY" if text.lines().count() < 3 || rest.lines().any(|line| line.len() > LINE_LENGTH) => {
            Some(ONE_LINE)
        }
        "PRIVATE KEY" => None,
        "ENCRYPTED PRIVATE KEY" => Some(ENCRYPTED),
        "RSA PRIVATE KEY" if rest.contains("ENCRYPTED") => Some(ENCRYPTED),
        "RSA PRIVATE KEY" => Some(PKCS1),
        "OPENSSH PRIVATE KEY" => Some(OPENSSH),
        "PUBLIC KEY" | "RSA PUBLIC KEY" => Some(PUBLIC),
        "CERTIFICATE" => Some(CERTIFICATE),
        _ => Some(OTHER),
    }
}

/// Whether a text is, or holds, a private key: where a path or a name is expected.
pub(crate) fn looks_like_one(text: &str) -> bool {
    // A key's DER begins so in base64; no path is this long and no secret's name holds a line break.
    text.contains("-----BEGIN") || text.contains('\n') || (text.starts_with("MII") && text.len() > 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<KeyFault>) {
        assert_eq!(fault(text), expected, "{text}");
    }

    #[test]
    fn a_key_is_told_from_what_is_given_by_mistake() {
        let pem = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        check(&pem("PRIVATE KEY"), None);
        check(&pem("PRIVATE KEY").replace('\n', "\r\n"), None);
        check(&format!("\n{}\n", pem("PRIVATE KEY")), None);
        for (label, expected) in [
            ("ENCRYPTED PRIVATE KEY", ENCRYPTED),
            ("RSA PRIVATE KEY", PKCS1),
            ("OPENSSH PRIVATE KEY", OPENSSH),
            ("PUBLIC KEY", PUBLIC),
            ("RSA PUBLIC KEY", PUBLIC),
            ("CERTIFICATE", CERTIFICATE),
            ("EC PRIVATE KEY", OTHER),
        ] {
            check(&pem(label), Some(expected));
        }
        let with_header = pem("RSA PRIVATE KEY").replacen('\n', "\nProc-Type: 4,ENCRYPTED\n\n", 1);
        check(&with_header, Some(ENCRYPTED));
    }

    #[test]
    fn a_text_that_is_no_pem_says_what_it_may_be() {
        for text in ["", "AAAA", "not-a-key-but-a-secret", r#"{"user":"landfall"}"#] {
            check(text, Some(NO_PEM));
        }
        check(&String::from_utf8_lossy(&[0x30, 0x82, 0x04, 0xbe, 0xff]), Some(BINARY));
    }

    #[test]
    fn a_pem_that_went_through_a_console_says_what_it_lost() {
        check("-----BEGIN PRIVATE KEY----- AAAA -----END PRIVATE KEY-----", Some(ONE_LINE));
        check(r"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", Some(ONE_LINE));
        let unwrapped = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", "A".repeat(1_600));
        check(&unwrapped, Some(ONE_LINE));
        check(r#"{"key":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"}"#, Some(JSON));
    }

    #[test]
    fn a_key_is_seen_where_a_path_belongs() {
        assert!(looks_like_one("-----BEGIN PRIVATE KEY-----") && looks_like_one(&"MII".repeat(100)));
        let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:landfall/snowflake-key-AbCdEf";
        for name in ["rsa_key.p8", "landfall/snowflake-key", "MIIdir/key", arn] {
            assert!(!looks_like_one(name), "{name}");
        }
    }
}
