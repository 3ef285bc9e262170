//! A slow evaluator written from the rules alone, without a line of the crate under test: no compiled forms, no shared helpers,
//! strings and JSON values all the way. Where the two disagree, one of them is wrong.

use serde_json::Value;
use std::net::IpAddr;

/// `allow`, `explicit_deny` or `implicit_deny`, and the determining statements as `policy#statement`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) decision: String,
    pub determined_by: Vec<String>,
}

const MULTIVALUED: &[&str] = &["aws:tagkeys", "sts:transitivetagkeys", "galen:groups"];

struct World<'a> {
    principal: &'a str,
    action: String,
    resource: &'a str,
    owner: &'a str,
    context: Vec<(String, Vec<String>)>,
    bounded: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Reach {
    Account,
    Limited,
    Direct,
}

struct Hit {
    place: String,
    reach: Reach,
}

/// Answers a question of the simulate contract.
pub(crate) fn decide(question: &Value) -> Answer {
    let request = &question["request"];
    let world = World {
        principal: request["principal"].as_str().unwrap(),
        action: request["action"].as_str().unwrap().to_lowercase(),
        resource: request["resource"].as_str().unwrap(),
        owner: request["resource_account"].as_str().unwrap(),
        context: context(&request["context"]),
        bounded: !question["permission_boundary"].is_null(),
    };
    if world.action == "sts:getcalleridentity" {
        return Answer { decision: "allow".into(), determined_by: vec![] };
    }
    let mut denies = vec![];
    let identity = many(&world, &question["identity_policies"], "identity", "identity", &mut denies);
    let resource = one(&world, &question["resource_policy"], "resource", "resource", &mut denies);
    let boundary = one(&world, &question["permission_boundary"], "boundary", "identity", &mut denies);
    let session = many(&world, &question["session_policies"], "session", "identity", &mut denies);
    let levels = list(&question["service_control_policies"]);
    let scps: Vec<Vec<Hit>> =
        levels.iter().enumerate().map(|(i, l)| many(&world, l, &format!("scp[{i}]"), "scp", &mut denies)).collect();
    if !denies.is_empty() {
        return Answer { decision: "explicit_deny".into(), determined_by: denies };
    }
    let no = Answer { decision: "implicit_deny".into(), determined_by: vec![] };
    if scps.iter().any(Vec::is_empty) {
        return no;
    }
    let fits_boundary = !world.bounded || !boundary.is_empty();
    let without = list(&question["session_policies"]).is_empty() && !world.principal.contains(":federated-user/");
    let fits_session = without || !session.is_empty();
    let limits = fits_boundary && fits_session;
    let reaches = |reach: Reach| resource.iter().any(|h| h.reach == reach);
    let mut by: Vec<String> = vec![];
    let add = |by: &mut Vec<String>, hits: &[Hit], keep: &dyn Fn(Reach) -> bool| {
        by.extend(hits.iter().filter(|h| keep(h.reach)).map(|h| h.place.clone()));
    };
    let has_identity = is_identity(world.principal);
    let must = needs_own_policy(&world);
    if !has_identity {
        if !reaches(Reach::Direct) {
            return no;
        }
        add(&mut by, &resource, &|r| r == Reach::Direct);
    } else if account_of(world.principal) == world.owner {
        let direct = reaches(Reach::Direct);
        let named = reaches(Reach::Limited) && limits;
        let delegated = reaches(Reach::Account);
        let own = !identity.is_empty() && limits && (!must || delegated);
        if !direct && !named && !own {
            return no;
        }
        if own {
            add(&mut by, &identity, &|_| true);
        }
        add(&mut by, &resource, &|r| match r {
            Reach::Direct => direct,
            Reach::Limited => named,
            Reach::Account => own && must,
        });
        if own || named {
            add(&mut by, &boundary, &|_| true);
            add(&mut by, &session, &|_| true);
        }
    } else {
        if identity.is_empty() || resource.is_empty() || !limits {
            return no;
        }
        for side in [&identity, &resource, &boundary, &session] {
            add(&mut by, side, &|_| true);
        }
    }
    for level in &scps {
        add(&mut by, level, &|_| true);
    }
    Answer { decision: "allow".into(), determined_by: by }
}

fn context(value: &Value) -> Vec<(String, Vec<String>)> {
    let Some(members) = value.as_object() else { return vec![] };
    members.iter().map(|(k, v)| (k.to_lowercase(), texts(v))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        Value::Null => vec![],
        single => vec![text(single)],
    }
}

fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        single => std::slice::from_ref(single),
    }
}

fn many(world: &World<'_>, documents: &Value, name: &str, kind: &str, denies: &mut Vec<String>) -> Vec<Hit> {
    let mut hits = vec![];
    for (i, document) in list(documents).iter().enumerate() {
        hits.extend(one(world, document, &format!("{name}[{i}]"), kind, denies));
    }
    hits
}

fn one(world: &World<'_>, document: &Value, name: &str, kind: &str, denies: &mut Vec<String>) -> Vec<Hit> {
    let variables = document["Version"] == "2012-10-17";
    let mut hits = vec![];
    for (i, statement) in list(&document["Statement"]).iter().enumerate() {
        let Some(reach) = applies(world, statement, kind, variables) else { continue };
        let place = format!("{name}#{i}");
        if statement["Effect"] == "Deny" {
            denies.push(place);
        } else {
            hits.push(Hit { place, reach });
        }
    }
    hits
}

fn applies(world: &World<'_>, statement: &Value, kind: &str, variables: bool) -> Option<Reach> {
    let action = |patterns: &Value| texts(patterns).iter().any(|p| like(&plain(&p.to_lowercase()), &world.action));
    let chosen =
        if statement["NotAction"].is_null() { action(&statement["Action"]) } else { !action(&statement["NotAction"]) };
    let resources = match (&statement["Resource"], &statement["NotResource"]) {
        (Value::Null, Value::Null) => true,
        (these, Value::Null) => texts(these).iter().any(|p| resource(world, p, kind, variables) == Some(true)),
        (_, these) => texts(these).iter().all(|p| resource(world, p, kind, variables) == Some(false)),
    };
    if !chosen || !resources || !conditions(world, &statement["Condition"], variables) {
        return None;
    }
    principal(world, statement)
}

/// `None`: the pattern has no meaning or no value, and matches nothing.
fn resource(world: &World<'_>, pattern: &str, kind: &str, variables: bool) -> Option<bool> {
    if pattern == "*" {
        return Some(true);
    }
    let colons = pattern.matches(':').count();
    let mut full = pattern.to_owned();
    if colons < 5 {
        let grows = match kind {
            "identity" => true,
            "resource" => pattern.contains('*'),
            _ => pattern.ends_with('*'),
        };
        if !grows {
            return None;
        }
        full.push_str(&":*".repeat(5 - colons));
    }
    let parts: Vec<&str> = full.splitn(6, ':').collect();
    let asked: Vec<&str> = world.resource.splitn(6, ':').collect();
    if asked.len() < 6 {
        return Some(false);
    }
    for i in 0..5 {
        if !like(&plain(parts[i]), asked[i]) {
            return Some(false);
        }
    }
    let tokens = template(world, parts[5], variables, true)?;
    Some(like(&tokens, asked[5]))
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Is(char),
    Any,
    Many,
}

fn plain(pattern: &str) -> Vec<Token> {
    pattern
        .chars()
        .map(|c| match c {
            '*' => Token::Many,
            '?' => Token::Any,
            c => Token::Is(c),
        })
        .collect()
}

fn template(world: &World<'_>, text: &str, variables: bool, wildcards: bool) -> Option<Vec<Token>> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = vec![];
    let mut i = 0;
    while i < chars.len() {
        let end = chars[i..].iter().position(|c| *c == '}').map(|n| i + n);
        if let (true, '$', Some('{'), Some(end)) = (variables, chars[i], chars.get(i + 1), end) {
            let inner: String = chars[i + 2..end].iter().collect();
            let literal = if ["*", "?", "$"].contains(&inner.as_str()) { inner } else { variable(world, &inner)? };
            out.extend(literal.chars().map(Token::Is));
            i = end + 1;
            continue;
        }
        out.push(match chars[i] {
            '*' if wildcards => Token::Many,
            '?' if wildcards => Token::Any,
            c => Token::Is(c),
        });
        i += 1;
    }
    Some(out)
}

fn variable(world: &World<'_>, inner: &str) -> Option<String> {
    let (key, default) = match inner.split_once(',') {
        Some((key, rest)) => (key, Some(rest.trim().trim_matches('\'').to_owned())),
        None => (inner, None),
    };
    let key = key.trim().to_lowercase();
    match found(world, &key) {
        Some(values) if values.len() == 1 && !MULTIVALUED.contains(&key.as_str()) => Some(values[0].clone()),
        _ => default,
    }
}

fn found<'a>(world: &'a World<'_>, key: &str) -> Option<&'a [String]> {
    world.context.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_slice())
}

/// Table of "pattern from i matches text from j".
fn like(pattern: &[Token], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (n, m) = (pattern.len(), text.len());
    let mut table = vec![vec![false; m + 1]; n + 1];
    table[n][m] = true;
    for i in (0..n).rev() {
        for j in (0..=m).rev() {
            table[i][j] = match &pattern[i] {
                Token::Many => table[i + 1][j] || (j < m && table[i][j + 1]),
                Token::Any => j < m && table[i + 1][j + 1],
                Token::Is(c) => j < m && text[j] == *c && table[i + 1][j + 1],
            };
        }
    }
    table[0][0]
}

fn principal(world: &World<'_>, statement: &Value) -> Option<Reach> {
    match (&statement["Principal"], &statement["NotPrincipal"]) {
        (Value::Null, Value::Null) => Some(Reach::Direct),
        (these, Value::Null) => entries(these).iter().filter_map(|(kind, text)| reach(world, kind, text)).max(),
        (_, these) => {
            let reaches: Vec<Reach> =
                entries(these).iter().filter_map(|(kind, text)| reach(world, kind, text)).collect();
            if statement["Effect"] == "Allow" {
                let free = if is_role(world.principal) { Reach::Limited } else { Reach::Direct };
                return reaches.is_empty().then_some(free);
            }
            let everybody = entries(these).iter().any(|(kind, text)| (*kind == "*" || *kind == "AWS") && text == "*");
            let has = |r: Reach| reaches.contains(&r);
            let exempt = everybody
                || if world.principal.contains(":assumed-role/") {
                    has(Reach::Account) && has(Reach::Limited) && has(Reach::Direct)
                } else if is_role(world.principal) {
                    has(Reach::Account) && has(Reach::Limited)
                } else if is_identity(world.principal) {
                    has(Reach::Account) && has(Reach::Direct)
                } else {
                    has(Reach::Direct)
                };
            (world.bounded || !exempt).then_some(Reach::Direct)
        }
    }
}

fn entries(element: &Value) -> Vec<(&str, String)> {
    match element {
        Value::Object(members) => {
            members.iter().flat_map(|(kind, v)| texts(v).into_iter().map(move |t| (kind.as_str(), t))).collect()
        }
        other => vec![("*", text(other))],
    }
}

fn reach(world: &World<'_>, kind: &str, entry: &str) -> Option<Reach> {
    let who = world.principal;
    if kind != "AWS" && kind != "*" {
        let any_provider = kind == "Federated" && entry == "*" && !is_identity(who);
        return (entry == who || any_provider).then_some(Reach::Direct);
    }
    if entry == "*" {
        return Some(Reach::Direct);
    }
    let account = entry.strip_prefix("arn:aws:iam::").and_then(|r| r.strip_suffix(":root")).unwrap_or(entry);
    if account.len() == 12 {
        return (account_of(who) == account).then_some(Reach::Account);
    }
    if entry == who {
        return Some(if is_role(who) { Reach::Limited } else { Reach::Direct });
    }
    if account_of(entry) != account_of(who) {
        return None;
    }
    let name = entry.rsplit('/').next()?;
    let of_role = is_role(entry) && who.contains(&format!(":assumed-role/{name}/"));
    let of_user = entry.contains(":user/") && who.ends_with(&format!(":federated-user/{name}"));
    (of_role || of_user).then_some(Reach::Limited)
}

fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or("")
}

fn is_role(arn: &str) -> bool {
    arn.contains(":role/")
}

fn is_identity(who: &str) -> bool {
    who.starts_with("arn:") && !who.contains("-provider/")
}

fn needs_own_policy(world: &World<'_>) -> bool {
    let assumes = world.action.starts_with("sts:assumerole")
        || world.action == "sts:tagsession"
        || world.action == "sts:setsourceidentity";
    (assumes && world.resource.contains(":role/"))
        || (world.action.starts_with("kms:") && world.resource.contains(":key/"))
}

fn conditions(world: &World<'_>, block: &Value, variables: bool) -> bool {
    let Some(operators) = block.as_object() else { return true };
    operators.iter().all(|(operator, keys)| {
        keys.as_object().unwrap().iter().all(|(key, values)| holds(world, operator, key, &texts(values), variables))
    })
}

fn holds(world: &World<'_>, operator: &str, key: &str, values: &[String], variables: bool) -> bool {
    let values_found = found(world, &key.to_lowercase());
    let (set, name) = operator.split_once(':').unwrap_or(("", operator));
    let (name, if_exists) = match name.strip_suffix("IfExists") {
        Some(base) => (base, true),
        None => (name, false),
    };
    if name == "Null" {
        let wanted = if values_found.is_none() { "true" } else { "false" };
        return values.iter().any(|v| v.to_lowercase() == wanted);
    }
    let negated = name.contains("Not");
    let Some(found) = values_found else {
        return match set {
            "ForAnyValue" => false,
            "ForAllValues" => true,
            _ => negated || if_exists,
        };
    };
    let base = name.replacen("Not", "", 1);
    let fits = |value: &String| compare(world, &base, value, values, variables).is_some_and(|m| m != negated);
    match set {
        "ForAnyValue" => !found.iter().all(|v| v.is_empty()) && found.iter().any(fits),
        "ForAllValues" => found.iter().all(|v| v.is_empty()) || found.iter().all(fits),
        _ => found.len() == 1 && !MULTIVALUED.contains(&key.to_lowercase().as_str()) && fits(&found[0]),
    }
}

/// Whether one of the policy's values matches; `None` where the request's value has the wrong type.
fn compare(world: &World<'_>, base: &str, asked: &str, values: &[String], variables: bool) -> Option<bool> {
    let text = |wildcards: bool, fold: bool| {
        let lower = |s: &str| if fold { s.to_lowercase() } else { s.to_owned() };
        values.iter().any(|v| {
            template(world, v, variables, wildcards).is_some_and(|tokens| {
                let tokens: Vec<Token> = tokens
                    .into_iter()
                    .flat_map(|t| match t {
                        Token::Is(c) => lower(&c.to_string()).chars().map(Token::Is).collect(),
                        other => vec![other],
                    })
                    .collect();
                like(&tokens, &lower(asked))
            })
        })
    };
    Some(match base {
        "StringEquals" => text(false, false),
        "StringEqualsIgnoreCase" => text(false, true),
        "StringLike" => text(true, false),
        "Bool" => {
            let asked = asked.to_lowercase();
            if asked != "true" && asked != "false" {
                return None;
            }
            values.iter().any(|v| v.to_lowercase() == asked)
        }
        "BinaryEquals" => {
            let asked = base64(asked)?;
            values.iter().any(|v| base64(v).as_ref() == Some(&asked))
        }
        "IpAddress" => {
            let asked: IpAddr = asked.parse().ok()?;
            values.iter().any(|v| in_network(asked, v))
        }
        "ArnEquals" | "ArnLike" => {
            let asked: Vec<&str> = asked.splitn(6, ':').collect();
            if asked.len() < 6 {
                return None;
            }
            values.iter().any(|v| arn_like(world, v, &asked, variables))
        }
        other => match (other.strip_prefix("Numeric"), other.strip_prefix("Date")) {
            (Some(how), _) => ordered(how, asked, values, number)?,
            (_, Some(how)) => ordered(how, asked, values, moment)?,
            _ => panic!("operator {other}"),
        },
    })
}

fn ordered<T: PartialOrd>(how: &str, asked: &str, values: &[String], read: impl Fn(&str) -> Option<T>) -> Option<bool> {
    let asked = read(asked)?;
    Some(values.iter().filter_map(|v| read(v)).any(|v| match how {
        "Equals" => asked == v,
        "LessThan" => asked < v,
        "LessThanEquals" => asked <= v,
        "GreaterThan" => asked > v,
        _ => asked >= v,
    }))
}

/// Thousandths, enough for every number that is generated.
fn number(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > 3 || digits.is_empty() {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: i128 = format!("{fraction:0<3}").parse().ok()?;
    let value = whole * 1000 + fraction;
    Some(if negative { -value } else { value })
}

/// Seconds since 1970, by counting days.
fn moment(text: &str) -> Option<i64> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00Z"));
    let mut parts = date.split('-').map(|p| p.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(1))?);
    let leap = |y: i64| (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    let length =
        |y: i64, m: i64| [31, if leap(y) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][m as usize - 1];
    let days: i64 = (1970..year).map(|y| if leap(y) { 366 } else { 365 }).sum::<i64>()
        + (1..month).map(|m| length(year, m)).sum::<i64>()
        + day
        - 1;
    let at = time.find(['Z', '+', '-'])?;
    let (clock, zone) = time.split_at(at);
    let hours = |text: &str| text.split(':').next()?.parse::<i64>().ok();
    let offset = match (zone.strip_prefix('+'), zone.strip_prefix('-')) {
        (Some(ahead), _) => hours(ahead)?,
        (_, Some(behind)) => -hours(behind)?,
        _ => 0,
    };
    let mut clock = clock.split(':').map(|p| p.parse::<i64>().ok());
    let (h, m, s) = (clock.next()??, clock.next()??, clock.next().unwrap_or(Some(0))?);
    Some(days * 86_400 + (h - offset) * 3_600 + m * 60 + s)
}

fn base64(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let body = text.trim_end_matches('=');
    if text.len() - body.len() > 2 {
        return None;
    }
    let mut bits = 0_u32;
    let mut held = 0;
    let mut out = vec![];
    for b in body.bytes() {
        bits = (bits << 6) | ALPHABET.iter().position(|a| *a == b)? as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    (bits == 0).then_some(out)
}

fn in_network(asked: IpAddr, network: &str) -> bool {
    let bits = |a: IpAddr| match a {
        IpAddr::V4(a) => (u128::from(u32::from(a)) << 96, 32),
        IpAddr::V6(a) => (u128::from(a), 128),
    };
    let (address, length) = network.split_once('/').unwrap_or((network, "999"));
    let address: IpAddr = address.parse().unwrap();
    if address.is_ipv4() != asked.is_ipv4() {
        return false;
    }
    let ((a, width), (b, _)) = (bits(address), bits(asked));
    let length = length.parse::<u32>().unwrap().min(width);
    length == 0 || (a >> (128 - length)) == (b >> (128 - length))
}

fn arn_like(world: &World<'_>, pattern: &str, asked: &[&str], variables: bool) -> bool {
    let Some(tokens) = template(world, pattern, variables, true) else { return false };
    let mut parts: Vec<Vec<Token>> = vec![vec![]];
    for token in tokens {
        if token == Token::Is(':') && parts.len() < 6 {
            parts.push(vec![]);
        } else {
            parts.last_mut().unwrap().push(token);
        }
    }
    parts.len() == 6 && parts.iter().zip(asked).all(|(p, a)| like(p, a))
}
