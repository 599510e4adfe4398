//! What a profile says of its client's events.

use toml::Value;

use super::super::error::FieldProblem;
use super::super::events::{
    CostRule, EventCondition, EventRules, FailureRule, JsonPath, JsonScalar, TextRule, TokenRule,
};
use super::position::join_field_path;
use super::raw::{OneOrMany, RawCostRule, RawEvents, RawFailureRule, RawTextRule, RawTokenRule};
use super::{FieldFault, fault_in_field};

/// Reads the table `events`.
pub(super) fn convert_event_rules(raw: RawEvents) -> Result<EventRules, FieldFault> {
    Ok(EventRules {
        session: convert_each("session", raw.session, convert_text_rule)?,
        activity: convert_each("activity", raw.activity, convert_text_rule)?,
        result: convert_each("result", raw.result, convert_text_rule)?,
        failure: convert_each("failure", raw.failure, convert_failure_rule)?,
        tokens: raw.tokens.map(convert_token_rule).transpose()?,
        cost: raw.cost.map(convert_cost_rule).transpose()?,
    })
}

/// Reads each entry of a list, and says in which one something is wrong.
fn convert_each<R, T>(
    kind: &str,
    raw: Vec<R>,
    read: impl Fn(R) -> Result<T, FieldFault>,
) -> Result<Vec<T>, FieldFault> {
    let read = |(index, raw): (usize, R)| {
        read(raw).map_err(|(path, problem)| {
            let way = ["events", kind, &index.to_string()].map(str::to_owned);
            (way.into_iter().chain(path).collect(), problem)
        })
    };
    raw.into_iter().enumerate().map(read).collect()
}

fn convert_text_rule(raw: RawTextRule) -> Result<TextRule, FieldFault> {
    Ok(TextRule { when: parse_condition(raw.when)?, paths: parse_paths("path", &raw.path)? })
}

fn convert_failure_rule(raw: RawFailureRule) -> Result<FailureRule, FieldFault> {
    let paths = raw.path.map_or(Ok(Vec::new()), |given| parse_paths("path", &given))?;
    if paths.is_empty() && !raw.contains.is_empty() {
        return Err(fault_in_field(&["contains"])(FieldProblem::ContainsNowhere));
    }
    if let Some(index) = raw.contains.iter().position(String::is_empty) {
        return Err(fault_in_field(&["contains", &index.to_string()])(FieldProblem::Empty));
    }
    let contains = raw.contains.iter().map(|part| part.to_lowercase()).collect();
    Ok(FailureRule { when: parse_condition(raw.when)?, paths, contains, is: raw.is.into() })
}

fn convert_token_rule(raw: RawTokenRule) -> Result<TokenRule, FieldFault> {
    let read = |raw: RawTokenRule| {
        Ok(TokenRule {
            when: parse_condition(raw.when)?,
            counts: raw.counts.into(),
            input: parse_paths("input", &raw.input)?,
            cached_input: raw
                .cached_input
                .map_or(Ok(Vec::new()), |given| parse_paths("cached_input", &given))?,
            output: parse_paths("output", &raw.output)?,
        })
    };
    read(raw).map_err(|at| prefix_field_path("tokens", at))
}

fn convert_cost_rule(raw: RawCostRule) -> Result<CostRule, FieldFault> {
    let read = |raw: RawCostRule| {
        let usd = JsonPath::parse(&raw.usd).map_err(fault_in_field(&["usd"]))?;
        Ok(CostRule { when: parse_condition(raw.when)?, counts: raw.counts.into(), usd })
    };
    read(raw).map_err(|at| prefix_field_path("cost", at))
}

/// The same fault, seen from the whole file.
fn prefix_field_path(kind: &str, (path, problem): FieldFault) -> FieldFault {
    (["events", kind].map(str::to_owned).into_iter().chain(path).collect(), problem)
}

fn parse_paths(field: &str, given: &OneOrMany) -> Result<Vec<JsonPath>, FieldFault> {
    if given.0.is_empty() {
        return Err(fault_in_field(&[field])(FieldProblem::Empty));
    }
    given.0.iter().map(|path| JsonPath::parse(path).map_err(fault_in_field(&[field]))).collect()
}

fn parse_condition(table: toml::Table) -> Result<EventCondition, FieldFault> {
    let mut conditions = Vec::new();
    flatten_conditions(table, "", &mut conditions)?;
    Ok(EventCondition(conditions))
}

/// `item.type = "x"` is a table in a table, and means the same as `"item.type" = "x"`.
fn flatten_conditions(
    table: toml::Table,
    within: &str,
    conditions: &mut Vec<(JsonPath, Vec<JsonScalar>)>,
) -> Result<(), FieldFault> {
    for (name, value) in table {
        let name = join_field_path(within, &name);
        let value = match value {
            Value::Table(inner) => {
                flatten_conditions(inner, &name, conditions)?;
                continue;
            }
            value => value,
        };
        let path = JsonPath::parse(&name).map_err(fault_in_field(&["when", &name]))?;
        let scalars = to_scalars(value)
            .ok_or(())
            .map_err(|()| fault_in_field(&["when", &name])(FieldProblem::Condition))?;
        conditions.push((path, scalars));
    }
    Ok(())
}

/// One value, or a list of at least one.
fn to_scalars(value: Value) -> Option<Vec<JsonScalar>> {
    match value {
        Value::Array(list) if !list.is_empty() => list.into_iter().map(to_scalar).collect(),
        value => to_scalar(value).map(|scalar| vec![scalar]),
    }
}

fn to_scalar(value: Value) -> Option<JsonScalar> {
    match value {
        Value::String(text) => Some(JsonScalar::Text(text)),
        Value::Integer(number) => Some(JsonScalar::Number(number)),
        Value::Boolean(flag) => Some(JsonScalar::Flag(flag)),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}
