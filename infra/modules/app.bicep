// The function app on Flex Consumption, its settings and its sign-in.
@description('Name of the app.')
param name string

@description('Name of the plan.')
param planName string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Resource id of the identity of the app.')
param identityId string

@description('Client id of the identity of the app.')
param identityClientId string

@description('Storage account of the app and of its host.')
param storageName string

@description('Container of the package of the code.')
param packageContainerUrl string

@description('Address of the key vault that the app reads.')
param vaultUri string

@description('Address of the key vault that the app writes.')
param panelVaultUri string

@description('Application Insights component.')
param componentName string

@description('Subnet of the app; empty: none.')
param subnetId string

@description('Most instances.')
param maximumInstanceCount int

@description('Memory of an instance in MB.')
param instanceMemoryMB int

@description('Instances that always wait for requests.')
param alwaysReadyInstances int

@description('Directory of the mailboxes and of the people who sign in.')
param tenantId string

@description('Client id of the application in Entra ID.')
param entraClientId string

@description('managedIdentity or secret.')
param applicationCredential string

@description('The https address of vtenext.')
param vtenextUrl string

@description('Our account there.')
param vtenextUsername string

@description('How long a request may run there.')
param vtenextTimeLimitSeconds int

@description('Sessions there at a time, all instances together.')
param vtenextSessions int

@description('Requests to Graph at a time, all instances together.')
param graphRequestsInFlight int

@description('The address as browsers reach the app; empty: that of Azure.')
param publicUrl string

@description('When the sweep runs.')
param syncSchedule string

var withSecret = applicationCredential == 'secret'
// The name that App Service's sign-in knows for: prove it by this managed identity, there is no secret.
var identityAssertion = 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
var clientSecretReference = '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/client-secret/)'
var graphPerInstance = min(256, max(1, graphRequestsInFlight / maximumInstanceCount))
var sessionsPerInstance = min(16, max(1, vtenextSessions / maximumInstanceCount))
var alwaysReady = [
  {
    name: 'http'
    instanceCount: alwaysReadyInstances
  }
]
var reachedAt = empty(publicUrl) ? 'https://${site.properties.defaultHostName}' : publicUrl

// What servers reach without signing in at App Service: Graph's notifications and the CRM's nudge; both are checked by the app itself. Not the ways back from Microsoft's sign-in (api/oauth/...): there the app asks App Service who is signed in.
var openPaths = [
  '/api/notifications'
  '/api/nudge'
]

resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource plan 'Microsoft.Web/serverfarms@2025-05-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource site 'Microsoft.Web/sites@2025-05-01' = {
  name: name
  location: location
  tags: union(tags, {
    'azd-service-name': 'connector'
  })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        maximumInstanceCount: maximumInstanceCount
        instanceMemoryMB: instanceMemoryMB
        alwaysReady: alwaysReadyInstances > 0 ? alwaysReady : []
      }
    }
    // Flex Consumption refuses more than half of what may stand here, ftpsState too: passwords for FTP are shut below.
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
    }
  }
}

resource noFtpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-05-01' = {
  parent: site
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noDeploymentPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-05-01' = {
  parent: site
  name: 'scm'
  properties: {
    allow: false
  }
}

// Each is documented in docs/operations.md. The secrets are made by infra/scripts/secrets.sh; a reference without a version follows the newest one.
resource settings 'Microsoft.Web/sites/config@2025-05-01' = {
  parent: site
  name: 'appsettings'
  properties: {
    AzureWebJobsStorage__accountName: storage.name
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identityClientId
    STORAGE__accountName: storage.name
    STORAGE__credential: 'managedidentity'
    STORAGE__clientId: identityClientId
    APPLICATIONINSIGHTS_CONNECTION_STRING: component.properties.ConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
    APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL: 'true'
    APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED: 'true'
    // Bytes. What the app takes at most; the host would read a hundred times that before it calls the app.
    FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '1048576'
    WEBSITE_AUTH_AAD_ALLOWED_TENANTS: tenantId
    OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: withSecret ? '' : identityClientId
    KEY_VAULT_URL: panelVaultUri
    INDEX_KEY: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/index-key/)'
    DIGEST_KEYS: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/digest-keys/)'
    ENCRYPTION_KEYS: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/encryption-keys/)'
    NUDGE_KEY: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/nudge-key/)'
    VTENEXT_URL: vtenextUrl
    VTENEXT_USERNAME: vtenextUsername
    VTENEXT_ACCESS_KEY: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/vtenext-access-key/)'
    VTENEXT_ALLOW_HTTP: 'false'
    VTENEXT_TIME_LIMIT_SECONDS: string(vtenextTimeLimitSeconds)
    VTENEXT_SESSIONS: string(sessionsPerInstance)
    TENANT_ID: tenantId
    CLIENT_ID: entraClientId
    CLIENT_SECRET: withSecret ? clientSecretReference : ''
    CLIENT_ASSERTION_MANAGED_IDENTITY: withSecret ? '' : identityClientId
    GRAPH_BASE_URL: 'https://graph.microsoft.com/v1.0'
    GRAPH_IN_FLIGHT: string(graphPerInstance)
    ENTRA_AUTHORITY_HOST: 'https://login.microsoftonline.com'
    PUBLIC_URL: reachedAt
    SYNC_SCHEDULE: syncSchedule
    RUN_SECONDS: '240'
  }
}

// Everybody who gets in has signed in, with this directory; who is admin is the app role's to say (control/auth.py).
resource signIn 'Microsoft.Web/sites/config@2025-05-01' = {
  parent: site
  name: 'authsettingsV2'
  dependsOn: [
    settings
  ]
  properties: {
    platform: {
      enabled: true
      runtimeVersion: '~1'
    }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: 'RedirectToLoginPage'
      redirectToProvider: 'azureactivedirectory'
      excludedPaths: openPaths
    }
    httpSettings: {
      requireHttps: true
      routes: {
        apiPrefix: '/.auth'
      }
      forwardProxy: {
        convention: 'NoProxy'
      }
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: entraClientId
          clientSecretSettingName: withSecret ? 'CLIENT_SECRET' : identityAssertion
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: [
            entraClientId
            'api://${entraClientId}'
          ]
          defaultAuthorizationPolicy: {
            allowedApplications: [
              entraClientId
            ]
          }
        }
      }
    }
    login: {
      preserveUrlFragmentsForLogins: false
      allowedExternalRedirectUrls: []
      tokenStore: {
        enabled: false
      }
      cookieExpiration: {
        convention: 'FixedTime'
        timeToExpiration: '08:00:00'
      }
      nonce: {
        validateNonce: true
        nonceExpirationInterval: '00:05:00'
      }
    }
  }
}

output name string = site.name
output publicUrl string = reachedAt
output redirectUris array = [
  '${reachedAt}/.auth/login/aad/callback'
  '${reachedAt}/api/oauth/callback'
  '${reachedAt}/api/oauth/consent-callback'
]
