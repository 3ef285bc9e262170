//! One request: who wants to do what to which resource, in which context.

use crate::{context::Context, principal::Principal};

/// A request to evaluate.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks.
    pub principal: Principal,
    /// The ARN of the resource, or `*` where the action has none.
    pub resource: String,
    /// The account that owns the resource, 12 digits; S3 ARNs do not tell it.
    pub resource_account: String,
    /// Condition keys and values.
    pub context: Context,
    action: String,
    action_lower: String,
}

impl Request {
    /// A request for `action` (`service:Name`; case does not matter).
    pub fn new(
        principal: Principal,
        action: impl Into<String>,
        resource: impl Into<String>,
        resource_account: impl Into<String>,
        context: Context,
    ) -> Self {
        let action = action.into();
        Self {
            principal,
            resource: resource.into(),
            resource_account: resource_account.into(),
            context,
            action_lower: action.to_ascii_lowercase(),
            action,
        }
    }

    /// The action as it was given.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// Changes the action, so that several actions can share one context.
    pub fn set_action(&mut self, action: impl Into<String>) {
        self.action = action.into();
        self.action_lower = self.action.to_ascii_lowercase();
    }

    /// The action in lower case.
    pub(crate) fn action_lower(&self) -> &str {
        &self.action_lower
    }
}
