// A key vault. There are two: the app only reads the one with its keys and the CRM's access key, and writes into the other, where the client secret
// goes that an admin enters in the panel.
@description('Name of the vault.')
@minLength(3)
@maxLength(24)
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Reachable by private endpoints, and from operatorAddresses, only.')
param closed bool

@description('Public addresses that get in all the same.')
param operatorAddresses array

@description('It may not be deleted.')
param locked bool

@description('A vault of this name was deleted: it is recovered.')
param recover bool

@description('Object id of the identity of the app.')
param appPrincipalId string

@description('The app sets and deletes secrets here; else it reads them only.')
param appWrites bool

@description('Object id of who places the secrets; empty: nobody.')
param operatorPrincipalId string

@description('What that object id is.')
param operatorPrincipalType string

@description('Where every access is logged.')
param workspaceId string

// Secrets Officer is the least built-in role for what sync/store/secrets.py does: read, set and delete the secret that an admin enters; Secrets User
// only reads. Purging, which the role would allow, purge protection forbids: what the app could delete can be recovered for 90 days.
var secretsOfficer = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
var secretsUser = '4633458b-17de-408a-b874-0445c86b69e6'

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    createMode: recover ? 'recover' : 'default'
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: true
    softDeleteRetentionInDays: 90
    enabledForDeployment: false
    enabledForDiskEncryption: false
    enabledForTemplateDeployment: false
    publicNetworkAccess: closed && empty(operatorAddresses) ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: closed ? 'Deny' : 'Allow'
      bypass: 'AzureServices'
      ipRules: [for address in operatorAddresses: {
        value: address
      }]
    }
  }
}

resource appReads 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!appWrites) {
  name: guid(vault.id, appPrincipalId, secretsUser)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUser)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource appOfficiates 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (appWrites) {
  name: guid(vault.id, appPrincipalId, secretsOfficer)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsOfficer)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource operatorGranted 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorPrincipalId)) {
  name: guid(vault.id, operatorPrincipalId, secretsOfficer)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsOfficer)
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
  }
}

resource kept 'Microsoft.Authorization/locks@2020-05-01' = if (locked) {
  name: 'kept'
  scope: vault
  properties: {
    level: 'CanNotDelete'
    notes: 'Without the keys nobody reads the ledger.'
  }
}

resource logged 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}

output id string = vault.id
output name string = vault.name
output uri string = vault.properties.vaultUri
