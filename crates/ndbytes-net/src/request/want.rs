//! `Want-Repr-Digest` and `Want-Content-Digest`, RFC 9530.

/// A digest of the RFC's registry that is made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DigestKind {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl DigestKind {
    /// Its name in the registry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha512 => "sha-512",
        }
    }

    /// The digest of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sha512].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The digest that a client wants most of those that there are: `sha-256=10, sha-512=3`.
pub fn wanted_digest(text: &str) -> Option<DigestKind> {
    let mut best: Option<(DigestKind, u8)> = None;
    for item in text.split(',') {
        let item = item.split(';').next().unwrap_or_default().trim();
        let Some((name, weight)) = item.split_once('=') else { continue };
        let kind = DigestKind::from_name(name);
        let Ok(weight) = weight.parse::<u8>() else { continue };
        // Preferences are 0 to 10, and 0 is "not acceptable".
        if let Some(kind) = kind
            && (1..=10).contains(&weight)
            && best.is_none_or(|(_, most)| weight > most)
        {
            best = Some((kind, weight));
        }
    }
    best.map(|(kind, _)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_wanted_that_there_is() {
        for (text, want) in [
            ("sha-256=10", Some(DigestKind::Sha256)),
            ("sha-256=3, sha-512=10", Some(DigestKind::Sha512)),
            ("md5=10,sha-512=1", Some(DigestKind::Sha512)),
            ("sha-256=0", None),
            ("sha-256", None),
            ("sha-256=11", None),
            ("", None),
            (",;=,", None),
        ] {
            assert_eq!(wanted_digest(text), want, "{text}");
        }
    }
}
