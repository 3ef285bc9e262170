//! Another application gets no code before its person agreed, and none after they took it back.

use super::*;

impl World {
    async fn hub(&self, extra: &[(&str, &str)], cookies: &str) -> Answer {
        self.get(&format!("/oidc/authorize?{}", query(&[&[HUB], extra].concat())), cookies).await
    }

    async fn answer(&self, page: &Answer, cookies: &str, answer: &str) -> Answer {
        self.answer_to(page, &page.hidden("request"), cookies, answer).await
    }

    /// The answer on a page, posted for a request of the caller's choice.
    async fn answer_to(&self, page: &Answer, request: &str, cookies: &str, answer: &str) -> Answer {
        let (csrf, question) = (page.hidden("csrf"), page.hidden("question"));
        let form = [("csrf", csrf.as_str()), ("request", request), ("question", &question), ("answer", answer)];
        self.post("/agree", cookies, &form).await
    }
}

#[tokio::test]
async fn another_application_gets_no_code_before_its_person_agreed() {
    let world = World::new().await;
    let signed_in = world.sign_in(PASSWORD).await;
    assert!(signed_in.param("code").is_some(), "Galen's own client needs no agreement beside the password");
    let none = world.hub(&[("prompt", "none")], &signed_in.cookies()).await;
    assert_eq!(none.param("error").unwrap(), "consent_required");
    let page = world.hub(&[], &signed_in.cookies()).await;
    assert!(
        page.text.contains("Let Galen &#60;command&#62; line in?") && page.text.contains("study-hub"),
        "{}",
        page.text
    );
    let cookies = format!("{}; {}", signed_in.cookies(), page.cookies());
    let foreign = world.post("/agree", &cookies, &[("request", &page.hidden("request")), ("answer", "yes")]).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN, "a form without its token");
    assert_eq!(world.answer(&page, &cookies, "no").await.param("error").unwrap(), "access_denied");
    assert!(world.hub(&[], &cookies).await.text.contains("Let it in"), "a refusal is no agreement");
    assert!(world.answer(&page, &cookies, "yes").await.param("code").is_some());
    // Remembered, and taken back: with it goes everything that the person had open.
    assert!(world.hub(&[("prompt", "none")], &cookies).await.param("code").is_some());
    let list = world.get("/agreements", &cookies).await;
    assert!(list.text.contains("study-hub"), "{}", list.text);
    let (csrf, client) = (list.hidden("csrf"), list.hidden("client"));
    let done = world.post("/agreements", &cookies, &[("csrf", &csrf), ("client", &client)]).await;
    assert_eq!(done.status, StatusCode::OK);
}

#[tokio::test]
async fn an_agreement_follows_a_sign_in_that_was_asked_for() {
    let world = World::new().await;
    let page = world.hub(&[("prompt", "login")], "").await;
    let asked = world.fill(&page, PASSWORD).await;
    assert_eq!(asked.status, StatusCode::OK, "signed in, and asked");
    let cookies = asked.cookies();
    world.pass(Duration::from_secs(601));
    let late = world.answer(&asked, &cookies, "yes").await;
    assert!(late.text.contains("name=\"password\""), "an old sign-in does not answer for `prompt=login`");
    world.get("/agreements", "").await.alert();
}

#[tokio::test]
async fn who_thinks_about_the_question_longer_than_max_age_is_let_in() {
    let world = World::new().await;
    for max_age in ["0", "5"] {
        let page = world.hub(&[("max_age", max_age), ("prompt", "consent")], "").await;
        let asked = world.fill(&page, PASSWORD).await;
        let cookies = asked.cookies();
        world.pass(Duration::from_secs(30));
        assert!(world.answer(&asked, &cookies, "yes").await.param("code").is_some(), "max_age {max_age}");
    }
}

/// Whoever wrote the form by hand got a code for `max_age=5` or `prompt=login` by a sign-in of ten minutes.
#[tokio::test]
async fn finding_a_sign_in_answers_only_the_request_that_it_was_asked_about() {
    let world = World::new().await;
    let signed_in = world.sign_in(PASSWORD).await;
    let page = world.hub(&[], &signed_in.cookies()).await;
    let cookies = format!("{}; {}", signed_in.cookies(), page.cookies());
    world.pass(Duration::from_secs(30));
    let request = page.hidden("request");
    for stricter in ["&max_age=5", "&max_age=0", "&prompt=login"] {
        let other = world.answer_to(&page, &format!("{request}{stricter}"), &cookies, "yes").await;
        assert!(other.text.contains("name=\"password\""), "{stricter}: {}", other.text);
    }
    // Neither does an answer on a page that another sign-in was asked on: that page named somebody else, perhaps.
    let again = world.sign_in(PASSWORD).await;
    let others = format!("{}; {}", again.cookies(), page.cookies());
    let asked_anew = world.answer(&page, &others, "yes").await;
    assert!(asked_anew.text.contains("Let it in"), "{}", asked_anew.text);
    assert!(world.answer(&page, &cookies, "yes").await.param("code").is_some());
}

#[tokio::test]
async fn a_client_that_asks_for_consent_gets_no_code_without_the_question() {
    let world = World::new().await;
    let signed_in = world.sign_in(PASSWORD).await;
    let page = world.hub(&[], &signed_in.cookies()).await;
    let cookies = format!("{}; {}", signed_in.cookies(), page.cookies());
    assert!(world.answer(&page, &cookies, "yes").await.param("code").is_some());
    assert!(world.hub(&[], &cookies).await.param("code").is_some(), "the agreement is remembered");
    let asked = world.hub(&[("prompt", "consent")], &cookies).await;
    assert!(asked.text.contains("Let it in"), "{}", asked.text);
    assert!(world.answer(&asked, &cookies, "yes").await.param("code").is_some());
    let own = world.get(&format!("/oidc/authorize?{}", query(&[("prompt", "consent")])), &cookies).await;
    assert!(own.text.contains("Continue as ann?"), "Galen's own client too: {}", own.text);
    assert!(world.answer(&own, &cookies, "yes").await.param("code").is_some());
}

/// RFC 8252, section 8.6: a sign-in in a browser is not handed to whoever listens on this computer.
#[tokio::test]
async fn an_open_sign_in_is_not_given_to_a_loopback_port_without_a_question() {
    let world = World::new().await;
    let signed_in = world.sign_in(PASSWORD).await;
    let ask = async |extra: &[(&str, &str)]| {
        world.get(&format!("/oidc/authorize?{}", query(extra)), &signed_in.cookies()).await
    };
    let other_port = ("redirect_uri", "http://127.0.0.1:6666/callback");
    for extra in [&[][..], &[other_port]] {
        let page = ask(extra).await;
        assert_eq!(page.status, StatusCode::OK);
        let port = if extra == [other_port] { "6666" } else { "5000" };
        assert!(page.text.contains("Continue as ann?"), "{}", page.text);
        assert!(page.text.contains(&format!("port <strong>{port}</strong>")), "{}", page.text);
    }
    assert_eq!(ask(&[("prompt", "none")]).await.param("error").unwrap(), "consent_required");
    let page = ask(&[]).await;
    let cookies = format!("{}; {}", signed_in.cookies(), page.cookies());
    let request = page.hidden("request");
    let forged = world.post("/agree", &cookies, &[("request", &request), ("answer", "yes")]).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN, "a form without its token");
    assert_eq!(world.answer(&page, &cookies, "no").await.param("error").unwrap(), "access_denied");
    let code = world.answer(&page, &cookies, "yes").await.param("code").unwrap();
    assert!(world.exchange(&code, VERIFIER).await.json()["id_token"].is_string());
    assert!(ask(&[]).await.text.contains("Continue as ann?"), "each request is asked about");
}
