"""Names: of the detectors of LiteLLM's `detect_secrets_config`, and which kinds of credential each stands for.

How a kind is found is not known here.
"""

from __future__ import annotations

from routeiq_guard_secrets import keywords, pem, shapes

ALL = shapes.LABELS | {pem.LABEL, keywords.LABEL, keywords.HEADER}
"""Every kind of credential that is found."""

DETECTORS: dict[str, tuple[str, ...]] = {
    "AWSKeyDetector": ("aws_access_key", "aws_secret_key"),
    "AgeSecretKeyDetector": ("age_key",),
    "AirtableApiKeyDetector": ("airtable_token",),
    "AlibabaSecretDetector": ("alibaba_key",),
    "ArtifactoryDetector": ("artifactory_token",),
    "AtlassianApiTokenDetector": ("atlassian_token",),
    "AzureStorageKeyDetector": ("azure_key", "azure_signature"),
    "BasicAuthDetector": ("url_password", "authorization"),
    "BitbucketDetector": ("bitbucket_token",),
    "ClojarsApiTokenDetector": ("clojars_token",),
    "DatabricksApiTokenDetector": ("databricks_token",),
    "DigitalOceanDetector": ("digitalocean_token",),
    "DopplerApiTokenDetector": ("doppler_token",),
    "DuffelApiTokenDetector": ("duffel_token",),
    "DynatraceApiTokenDetector": ("dynatrace_token",),
    "EasyPostDetector": ("easypost_key",),
    "FlutterwaveDetector": ("flutterwave_key",),
    "FrameIoApiTokenDetector": ("frameio_token",),
    "GCPApiKeyDetector": ("google_key", "google_oauth"),
    "GitHubTokenCustomDetector": ("github_token",),
    "GitHubTokenDetector": ("github_token",),
    "GitLabDetector": ("gitlab_token",),
    "GitLabTokenDetector": ("gitlab_token",),
    "GrafanaDetector": ("grafana_token",),
    "HashiCorpTFApiTokenDetector": ("terraform_token",),
    "HerokuApiKeyDetector": ("heroku_key",),
    "HuggingFaceDetector": ("huggingface_token",),
    "JWTBase64Detector": ("jwt",),
    "JwtTokenDetector": ("jwt",),
    "KeywordDetector": ("keyword", "authorization"),
    "LinearDetector": ("linear_key",),
    "MailchimpDetector": ("mailchimp_key",),
    "MailgunDetector": ("mailgun_key",),
    "MicrosoftTeamsWebhookDetector": ("teams_webhook",),
    "NewRelicDetector": ("newrelic_key",),
    "NpmDetector": ("npm_token",),
    "OpenAIApiKeyDetector": ("openai_key", "anthropic_key", "gateway_key"),
    "OpenAIDetector": ("openai_key", "anthropic_key", "gateway_key"),
    "PlanetScaleDetector": ("planetscale_token",),
    "PostmanApiTokenDetector": ("postman_key",),
    "PrefectApiTokenDetector": ("prefect_token",),
    "PrivateKeyDetector": ("private_key",),
    "PulumiApiTokenDetector": ("pulumi_token",),
    "PyPiUploadTokenDetector": ("pypi_token",),
    "PypiTokenDetector": ("pypi_token",),
    "ReadmeApiTokenDetector": ("readme_key",),
    "RubygemsApiTokenDetector": ("rubygems_key",),
    "SendGridApiTokenDetector": ("sendgrid_key",),
    "SendGridDetector": ("sendgrid_key",),
    "SendinBlueApiTokenDetector": ("sendinblue_key",),
    "ShippoApiTokenDetector": ("shippo_token",),
    "ShopifyDetector": ("shopify_token",),
    "SlackDetector": ("slack_token", "slack_webhook"),
    "SquareOAuthDetector": ("square_token",),
    "StripeDetector": ("stripe_key",),
    "TelegramBotApiTokenDetector": ("telegram_token",),
    "TelegramBotTokenDetector": ("telegram_token",),
    "TwilioKeyDetector": ("twilio_key",),
    "TypeformApiTokenDetector": ("typeform_token",),
    "VaultDetector": ("vault_token",),
}
