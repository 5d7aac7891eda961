//! The header `Accept`, RFC 9110 section 12.5.1.

/// The number of the offer that the client likes best, the first of those it likes as much; none
/// when it takes none of them. Without the header, it takes anything.
pub fn best_offer(accept: Option<&str>, offers: &[&str]) -> Option<usize> {
    let Some(accept) = accept.filter(|text| !text.trim().is_empty()) else {
        return (!offers.is_empty()).then_some(0);
    };
    let mut best: Option<(usize, u32)> = None;
    for (number, offer) in offers.iter().enumerate() {
        // What names it most exactly counts.
        let named = accept.split(',').filter_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            let exactness = matches(parts.next()?, offer)?;
            let weight = parts.find_map(weight);
            Some((exactness, weight.unwrap_or(1000)))
        });
        let weight = named.max_by_key(|&(exactness, _)| exactness).map_or(0, |(_, weight)| weight);
        if weight > 0 && best.is_none_or(|(_, most)| weight > most) {
            best = Some((number, weight));
        }
    }
    best.map(|(number, _)| number)
}

/// How exactly a range of types names one.
fn matches(range: &str, offer: &str) -> Option<u8> {
    if range.eq_ignore_ascii_case(offer) {
        return Some(2);
    }
    if range == "*/*" {
        return Some(0);
    }
    let (kind, _) = offer.split_once('/')?;
    let named = range.strip_suffix("/*")?;
    named.eq_ignore_ascii_case(kind).then_some(1)
}

/// Thousandths of `q=0.5`; what is no number counts as nothing.
fn weight(part: &str) -> Option<u32> {
    let value = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="))?;
    let value: f32 = value.trim().parse().unwrap_or(0.0);
    Some((value.clamp(0.0, 1.0) * 1000.0) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_chooses() {
        let offers = ["application/x-npy", "application/x-ndb", "application/octet-stream"];
        for (accept, want) in [
            (None, Some(0)),
            (Some(""), Some(0)),
            (Some("*/*"), Some(0)),
            (Some("application/x-ndb"), Some(1)),
            (Some("Application/X-NDB;q=1"), Some(1)),
            (Some("application/octet-stream, */*;q=0.1"), Some(2)),
            (Some("application/*;q=0.5, application/x-npy;q=0"), Some(1)),
            (Some("text/html, application/xhtml+xml;q=0.9, */*;q=0.8"), Some(0)),
            (Some("text/html"), None),
            (Some("application/x-npy;q=0"), None),
            (Some("application/x-npy;q=x"), None),
            (Some(";;,,/,*"), None),
        ] {
            assert_eq!(best_offer(accept, &offers), want, "{accept:?}");
        }
        assert_eq!(best_offer(None, &[]), None);
    }
}
