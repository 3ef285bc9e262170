//! What the directory needs of the gate: which groups and roles somebody has now, and where the line of epochs is.

use access::{Access, AuthPosition, EpochKey, Member};
use base::{ClientId, GroupId, PersonId, SignInId};

/// The live entitlements of people, and the epochs that cut credentials. `access` implements it.
#[async_trait::async_trait]
pub trait Entitlements: Send + Sync + 'static {
    /// Whether what is known here is within the freshness bound of the gate; it looks first.
    async fn fresh(&self) -> bool;
    /// The live groups of a person.
    fn groups_of(&self, person: PersonId) -> Vec<GroupId>;
    /// The ARNs of the roles that the groups of a person or service entitle to, through this client.
    fn roles_of(&self, member: Member, client: ClientId) -> Vec<String>;
    /// The issuer's sequence number, which every new credential carries.
    fn position(&self) -> u64;
    /// Why a credential of this sign-in and position no longer counts; `None` when it does.
    fn cut(&self, person: PersonId, sign_in: SignInId, position: &AuthPosition) -> Option<String>;
}

#[async_trait::async_trait]
impl Entitlements for Access {
    async fn fresh(&self) -> bool {
        Self::fresh(self).await
    }
    fn groups_of(&self, person: PersonId) -> Vec<GroupId> {
        Self::groups_of(self, person)
    }
    fn roles_of(&self, member: Member, client: ClientId) -> Vec<String> {
        let roles = self.entitled_roles(member, Some(client));
        roles.iter().map(|role| role.arn()).collect()
    }
    fn position(&self) -> u64 {
        self.epochs().position()
    }
    fn cut(&self, person: PersonId, sign_in: SignInId, position: &AuthPosition) -> Option<String> {
        let cut = [EpochKey::Person { person }, EpochKey::SignIn { sign_in }];
        cut.into_iter().find_map(|key| self.epochs().cut_of(key, position)).map(|cut| cut.key.to_string())
    }
}
