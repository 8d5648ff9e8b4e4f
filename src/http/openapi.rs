//! All routes in one place, and the OpenAPI document that is generated from them: what is not documented is not served.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa::openapi::security::SecurityScheme;
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;

use super::auth::{Gate, gate};
use super::state::AppState;
use super::v1;

/// Every resource.
fn resources() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(document())
        .merge(v1::identity::router())
        .merge(v1::statements::router())
        .merge(v1::events::router())
        .merge(v1::blobs::router())
        .merge(v1::notifications::router())
        .merge(v1::desk::router())
        .merge(v1::distress::router())
        .merge(v1::threads::router())
        .merge(v1::nudge::router())
        .merge(v1::checks::router())
}

fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Herald")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "A humanitarian notification server. Organisations notify sites and movements, signed and sealed; parties to the \
             conflict receive and acknowledge them; planners ask whether an area holds notified places. A notification is word, \
             never a request for permission; an acknowledgement is not approval; absence of a notification is not absence of \
             civilians. `docs/protocol.md` describes statements, parts and seals, which these operations carry.",
        ))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()));
    let mut document = OpenApiBuilder::new().info(info).build();
    document
        .components
        .get_or_insert_default()
        .add_security_scheme(
            "device",
            SecurityScheme::MutualTls {
                description: Some(
                    "The device's certificate, issued at enrolment, over TLS 1.3.".to_owned(),
                ),
                deprecated: None,
                extensions: None,
            },
        );
    document
}

/// The routes behind the gate, and the document itself.
pub fn router(state: AppState, with: Gate) -> Router {
    let (routes, document) = resources().split_for_parts();
    let text = render(&document);
    routes
        .with_state(state)
        .route(
            "/openapi.json",
            get(move || std::future::ready(serve(text.clone()))),
        )
        .route_layer(axum::middleware::from_fn_with_state(with, gate))
}

fn serve(text: String) -> Response {
    let headers = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    )];
    (headers, text).into_response()
}

/// The OpenAPI 3.1 document, as it stands in `openapi/herald.json`.
pub fn openapi_json() -> String {
    render(&resources().split_for_parts().1)
}

fn render(document: &OpenApi) -> String {
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::OPERATIONS;

    #[test]
    fn the_document_in_the_repository_is_what_the_code_serves() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/herald.json");
        let written = std::fs::read_to_string(path).expect("openapi/herald.json exists");
        assert!(written == openapi_json(), "write it anew: make openapi");
    }

    #[test]
    fn every_operation_has_its_access_and_every_access_its_operation() {
        let document: serde_json::Value = serde_json::from_str(&openapi_json()).expect("JSON");
        let mut served = vec!["GET /openapi.json".to_owned()];
        for (path, item) in document["paths"].as_object().expect("paths") {
            for method in item.as_object().expect("an item").keys() {
                served.push(format!("{} {path}", method.to_uppercase()));
            }
        }
        let mut tabled: Vec<String> = OPERATIONS
            .iter()
            .map(|(method, path, _)| format!("{method} {path}"))
            .collect();
        served.sort();
        tabled.sort();
        assert_eq!(served, tabled);
    }
}
