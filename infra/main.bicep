// Everything that the connector needs on Azure, in one resource group. `azd up` deploys it together with the app (azure.yaml).
// Without azd: az deployment sub create --location westeurope --template-file infra/main.bicep --parameters @infra/environments/test.parameters.json
// Nothing secret passes through here: keys and passwords lie in the key vault (infra/scripts/secrets.sh), the app's sign-ins have none.
targetScope = 'subscription'

@description('Name of the environment, such as test or production: part of every name.')
@minLength(1)
@maxLength(24)
param environmentName string

@description('Region of every resource. It must offer Flex Consumption.')
@minLength(1)
param location string

@description('Resource group; empty: rg-vtesync-<environment>.')
param resourceGroupName string = ''

@description('Function app; empty: func-vtesync-<unique>. Its address is part of the redirect addresses in Entra ID.')
@maxLength(60)
param functionAppName string = ''

@description('Tags of every resource.')
param tags object = {}

@description('Id of the directory of the mailboxes and of the people who sign in, by which the app checks whose administrators come in; empty: that of the subscription.')
@maxLength(36)
param tenantId string = ''

@description('Client id of the application that infra/entra/register.sh makes.')
@minLength(36)
@maxLength(36)
param entraClientId string

@description('How the application proves who it is: by the managed identity that it trusts (no secret anywhere), or by a secret named client-secret in the vault, where the identity lies in another directory.')
@allowed([
  'managedIdentity'
  'secret'
])
param applicationCredential string = 'managedIdentity'

@description('The https address of vtenext.')
@minLength(8)
param vtenextUrl string

@description('Our account in vtenext. Its access key is the secret vtenext-access-key in the vault.')
@minLength(1)
param vtenextUsername string

@description('The longest that a request may still run on the CRM server after we gave up, in seconds.')
@minValue(1)
@maxValue(7200)
param vtenextTimeLimitSeconds int = 300

@description('The address as browsers reach the app, where it has a domain of its own; empty: the address that Azure gives.')
param publicUrl string = ''

@description('When the sweep runs: NCRONTAB, six fields.')
param syncSchedule string = '0 */5 * * * *'

@description('Most instances of the app. What the servers are asked at a time is divided by it.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Memory of an instance in MB.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 2048

@description('Instances that always wait for requests: 0 costs nothing while nobody asks, and a first answer takes seconds.')
@minValue(0)
param alwaysReadyInstances int = 0

@description('Requests to Microsoft Graph at a time, all instances together.')
@minValue(1)
param graphRequestsInFlight int = 640

@description('Sessions with vtenext at a time, all instances together.')
@minValue(1)
param vtenextSessions int = 40

@description('Storage redundancy.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
param storageSku string = 'Standard_ZRS'

@description('Storage and vault reachable from the virtual network of the app only. The app itself stays public: Microsoft Graph and people must reach it.')
param privateNetwork bool = false

@description('Address space of that network.')
param networkAddressPrefix string = '10.80.0.0/24'

@description('The part of it for the app: a /25 holds forty instances and more.')
param appSubnetPrefix string = '10.80.0.0/25'

@description('The part of it for the private endpoints: four addresses.')
param endpointSubnetPrefix string = '10.80.0.128/27'

@description('Public addresses (or ranges), with commas in between, from which storage and vaults are reached although the network is private: the machine that runs infra/scripts/secrets.sh.')
param operatorAddresses string = ''

@description('Object id of who places the secrets in the vault; empty: nobody gets that role here.')
param operatorPrincipalId string = ''

@description('What that object id is.')
@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
param operatorPrincipalType string = 'User'

@description('Who is mailed when something waits for a person: addresses, with commas in between.')
@minLength(3)
param alertEmails string

@description('Storage and vaults may not be deleted, nor the group with them, until somebody takes the locks away.')
param locked bool = false

@description('Once, where vaults of these names were deleted and can be recovered: a deletion of the group leaves them for 90 days, and nothing takes their names.')
param vaultRecover bool = false

@description('Days for which logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

var unique = toLower(uniqueString(subscription().id, environmentName, location))
var groupName = empty(resourceGroupName) ? 'rg-vtesync-${environmentName}' : resourceGroupName
var appName = empty(functionAppName) ? 'func-vtesync-${unique}' : functionAppName
var directory = empty(tenantId) ? tenant().tenantId : tenantId
var operators = empty(operatorAddresses) ? [] : split(replace(operatorAddresses, ' ', ''), ',')
var allTags = union(tags, {
  'azd-env-name': environmentName
  application: 'vtenext-m365-sync'
})

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: groupName
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-vtesync-${unique}'
    location: location
    tags: allTags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: 'log-vtesync-${unique}'
    componentName: 'appi-vtesync-${unique}'
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    appPrincipalId: identity.outputs.principalId
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'stvtesync${unique}'
    location: location
    tags: allTags
    sku: storageSku
    closed: privateNetwork
    operatorAddresses: operators
    appPrincipalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
    locked: locked
  }
}

// What the app reads: its keys, and the access key of vtenext. It cannot change or delete them.
module vault 'modules/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: 'kv-vtesync-${unique}'
    location: location
    tags: allTags
    closed: privateNetwork
    locked: locked
    recover: vaultRecover
    operatorAddresses: operators
    appPrincipalId: identity.outputs.principalId
    appWrites: false
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
    workspaceId: monitoring.outputs.workspaceId
  }
}

// What the app writes: the client secret that an admin enters in the panel.
module panelVault 'modules/vault.bicep' = {
  name: 'panel-vault'
  scope: group
  params: {
    name: 'kv-vtepanel${unique}'
    location: location
    tags: allTags
    closed: privateNetwork
    locked: locked
    recover: vaultRecover
    operatorAddresses: operators
    appPrincipalId: identity.outputs.principalId
    appWrites: true
    operatorPrincipalId: ''
    operatorPrincipalType: operatorPrincipalType
    workspaceId: monitoring.outputs.workspaceId
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: {
    name: 'vnet-vtesync-${unique}'
    location: location
    tags: allTags
    addressPrefix: networkAddressPrefix
    appSubnetPrefix: appSubnetPrefix
    endpointSubnetPrefix: endpointSubnetPrefix
    storageId: storage.outputs.id
    vaultId: vault.outputs.id
    panelVaultId: panelVault.outputs.id
  }
}

module app 'modules/app.bicep' = {
  name: 'app'
  scope: group
  params: {
    name: appName
    planName: 'plan-vtesync-${unique}'
    location: location
    tags: allTags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageName: storage.outputs.name
    packageContainerUrl: storage.outputs.packageContainerUrl
    vaultUri: vault.outputs.uri
    panelVaultUri: panelVault.outputs.uri
    componentName: monitoring.outputs.componentName
    subnetId: privateNetwork ? network.outputs.appSubnetId : ''
    maximumInstanceCount: maximumInstanceCount
    instanceMemoryMB: instanceMemoryMB
    alwaysReadyInstances: alwaysReadyInstances
    tenantId: directory
    entraClientId: entraClientId
    applicationCredential: applicationCredential
    vtenextUrl: vtenextUrl
    vtenextUsername: vtenextUsername
    vtenextTimeLimitSeconds: vtenextTimeLimitSeconds
    vtenextSessions: vtenextSessions
    graphRequestsInFlight: graphRequestsInFlight
    publicUrl: publicUrl
    syncSchedule: syncSchedule
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: allTags
    workspaceId: monitoring.outputs.workspaceId
    emails: split(replace(alertEmails, ' ', ''), ',')
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: {
    location: location
    tags: allTags
    workspaceId: monitoring.outputs.workspaceId
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output AZURE_FUNCTION_APP_NAME string = app.outputs.name
output AZURE_KEY_VAULT_NAME string = vault.outputs.name
output APPLICATION_CREDENTIAL string = applicationCredential
output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId
output PANEL_URL string = '${app.outputs.publicUrl}/api/panel'
output NOTIFICATION_URL string = '${app.outputs.publicUrl}/api/notifications'
output REDIRECT_URIS array = app.outputs.redirectUris
