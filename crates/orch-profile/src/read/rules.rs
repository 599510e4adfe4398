//! What a profile says of its client's events.

use toml::Value;

use super::super::error::Problem;
use super::super::events::{CostRule, Events, FailureRule, JsonPath, Scalar, TextRule, TokenRule, When};
use super::place::joined;
use super::raw::{OneOrMany, RawCostRule, RawEvents, RawFailureRule, RawTextRule, RawTokenRule};
use super::{At, at};

/// Reads the table `events`.
pub(super) fn events(raw: RawEvents) -> Result<Events, At> {
    Ok(Events {
        session: each("session", raw.session, text_rule)?,
        activity: each("activity", raw.activity, text_rule)?,
        result: each("result", raw.result, text_rule)?,
        failure: each("failure", raw.failure, failure_rule)?,
        tokens: raw.tokens.map(token_rule).transpose()?,
        cost: raw.cost.map(cost_rule).transpose()?,
    })
}

/// Reads each entry of a list, and says in which one something is wrong.
fn each<R, T>(kind: &str, raw: Vec<R>, read: impl Fn(R) -> Result<T, At>) -> Result<Vec<T>, At> {
    let read = |(index, raw): (usize, R)| {
        read(raw).map_err(|(path, problem)| {
            let way = ["events", kind, &index.to_string()].map(str::to_owned);
            (way.into_iter().chain(path).collect(), problem)
        })
    };
    raw.into_iter().enumerate().map(read).collect()
}

fn text_rule(raw: RawTextRule) -> Result<TextRule, At> {
    Ok(TextRule { when: when(raw.when)?, paths: paths("path", &raw.path)? })
}

fn failure_rule(raw: RawFailureRule) -> Result<FailureRule, At> {
    let paths = raw.path.map_or(Ok(Vec::new()), |given| paths("path", &given))?;
    if paths.is_empty() && !raw.contains.is_empty() {
        return Err(at(&["contains"])(Problem::ContainsNowhere));
    }
    if let Some(index) = raw.contains.iter().position(String::is_empty) {
        return Err(at(&["contains", &index.to_string()])(Problem::Empty));
    }
    let contains = raw.contains.iter().map(|part| part.to_lowercase()).collect();
    Ok(FailureRule { when: when(raw.when)?, paths, contains, is: raw.is.into() })
}

fn token_rule(raw: RawTokenRule) -> Result<TokenRule, At> {
    let read = |raw: RawTokenRule| {
        Ok(TokenRule {
            when: when(raw.when)?,
            counts: raw.counts.into(),
            input: paths("input", &raw.input)?,
            cached_input: raw.cached_input.map_or(Ok(Vec::new()), |given| paths("cached_input", &given))?,
            output: paths("output", &raw.output)?,
        })
    };
    read(raw).map_err(|at| within("tokens", at))
}

fn cost_rule(raw: RawCostRule) -> Result<CostRule, At> {
    let read = |raw: RawCostRule| {
        let usd = JsonPath::parse(&raw.usd).map_err(at(&["usd"]))?;
        Ok(CostRule { when: when(raw.when)?, counts: raw.counts.into(), usd })
    };
    read(raw).map_err(|at| within("cost", at))
}

/// The same fault, seen from the whole file.
fn within(kind: &str, (path, problem): At) -> At {
    (["events", kind].map(str::to_owned).into_iter().chain(path).collect(), problem)
}

fn paths(field: &str, given: &OneOrMany) -> Result<Vec<JsonPath>, At> {
    if given.0.is_empty() {
        return Err(at(&[field])(Problem::Empty));
    }
    given.0.iter().map(|path| JsonPath::parse(path).map_err(at(&[field]))).collect()
}

fn when(table: toml::Table) -> Result<When, At> {
    let mut conditions = Vec::new();
    flatten(table, "", &mut conditions)?;
    Ok(When(conditions))
}

/// `item.type = "x"` is a table in a table, and means the same as `"item.type" = "x"`.
fn flatten(
    table: toml::Table,
    within: &str,
    conditions: &mut Vec<(JsonPath, Vec<Scalar>)>,
) -> Result<(), At> {
    for (name, value) in table {
        let name = joined(within, &name);
        let value = match value {
            Value::Table(inner) => {
                flatten(inner, &name, conditions)?;
                continue;
            }
            value => value,
        };
        let path = JsonPath::parse(&name).map_err(at(&["when", &name]))?;
        let scalars = scalars(value).ok_or(()).map_err(|()| at(&["when", &name])(Problem::Condition))?;
        conditions.push((path, scalars));
    }
    Ok(())
}

/// One value, or a list of at least one.
fn scalars(value: Value) -> Option<Vec<Scalar>> {
    match value {
        Value::Array(list) if !list.is_empty() => list.into_iter().map(scalar).collect(),
        value => scalar(value).map(|scalar| vec![scalar]),
    }
}

fn scalar(value: Value) -> Option<Scalar> {
    match value {
        Value::String(text) => Some(Scalar::Text(text)),
        Value::Integer(number) => Some(Scalar::Number(number)),
        Value::Boolean(flag) => Some(Scalar::Flag(flag)),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}
