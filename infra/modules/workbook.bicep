// What the runs did, on one page of the portal.
@description('Region.')
param location string

@description('Tags.')
param tags object

@description('The workspace that holds the measurements.')
param workspaceId string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(workspaceId, 'vtesync-runs')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'vtenext and Microsoft 365: runs'
    category: 'workbook'
    sourceId: workspaceId
    serializedData: loadTextContent('../workbook.json')
    version: '1.0'
  }
}
