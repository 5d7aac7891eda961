//! What follows the `?` of a URL.

use super::percent_decode;

/// Parameters and their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Parses `a=1&b=2`, of which every name must be known and stand there once.
    ///
    /// # Errors
    /// What is wrong with it, as a text.
    pub fn parse(text: Option<&str>, known: &[&str]) -> Result<Self, String> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let name = name.escape_debug();
                return Err(format!("no parameter `{name}` is known here; those are: {known}"));
            }
            if pairs.iter().any(|(other, _)| *other == name) {
                return Err(format!("parameter `{name}` stands there twice"));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn decode(text: &str) -> Result<String, String> {
    percent_decode(text, true)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| "the query is no encoded UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_known_and_stand_there_once() {
        let known = ["slice", "member"];
        let query = Query::parse(Some("slice=0%3A10,+::2&member=%C3%A9"), &known).unwrap();
        assert_eq!(query.value("slice"), Some("0:10, ::2"));
        assert_eq!(query.value("member"), Some("é"));
        assert_eq!(query.value("other"), None);
        assert_eq!(Query::parse(Some("slice"), &known).unwrap().value("slice"), Some(""));
        assert_eq!(Query::parse(Some("&&"), &[]).unwrap(), Query::default());
        for text in ["a=1", "slice=&slice=", "slice=%", "slice=%ff", "%ff=1"] {
            assert!(Query::parse(Some(text), &known).is_err(), "{text}");
        }
    }
}
