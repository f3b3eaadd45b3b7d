<#
.SYNOPSIS
    Application mode, limited: Exchange Online gives the application contacts, calendars and mailbox settings of the members of one group, and of nobody else.
.DESCRIPTION
    RBAC for Applications. It adds to what Entra ID grants, so Entra ID must not grant the same permissions (register.sh with SCOPED=yes). To Do knows no such
    limit: Tasks.ReadWrite.All reaches every mailbox, and the allow-list of the connector is its only fence. May be repeated. Changes take up to two hours to act.
    Needs: the module ExchangeOnlineManagement and the role Organization Management; Connect-ExchangeOnline first.
.PARAMETER ClientId
    Client id of the application (ENTRA_CLIENT_ID).
.PARAMETER ServicePrincipalId
    Object id of its enterprise application, not of the registration (SERVICE_PRINCIPAL_ID).
.PARAMETER Group
    A mail-enabled security group or a distribution group: its direct members are the mailboxes. Members of groups inside of it do not count.
.PARAMETER Probe
    A mailbox inside of the group and one outside, to see that the limit holds.
#>
[CmdletBinding(SupportsShouldProcess)]
param(
    [Parameter(Mandatory)] [guid] $ClientId,
    [Parameter(Mandatory)] [guid] $ServicePrincipalId,
    [Parameter(Mandatory)] [string] $Group,
    [string[]] $Probe = @()
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$scope = 'vtesync-mailboxes'
$permissions = Get-Content -Raw -Path (Join-Path $PSScriptRoot 'permissions.json') | ConvertFrom-Json
$roles = $permissions.application | Where-Object { $_.PSObject.Properties.Name -contains 'exchange' } | ForEach-Object { $_.exchange }

$members = (Get-DistributionGroup -Identity $Group).DistinguishedName
$filter = "MemberOfGroup -eq '$($members.Replace("'", "''"))'"

if (-not (Get-ServicePrincipal | Where-Object { $_.AppId -eq $ClientId.ToString() })) {
    if ($PSCmdlet.ShouldProcess($ClientId, 'New-ServicePrincipal')) {
        New-ServicePrincipal -AppId $ClientId -ObjectId $ServicePrincipalId -DisplayName 'vtenext-m365-sync' | Out-Null
    }
}

if (Get-ManagementScope | Where-Object { $_.Name -eq $scope }) {
    if ($PSCmdlet.ShouldProcess($scope, 'Set-ManagementScope')) {
        Set-ManagementScope -Identity $scope -RecipientRestrictionFilter $filter
    }
}
elseif ($PSCmdlet.ShouldProcess($scope, 'New-ManagementScope')) {
    New-ManagementScope -Name $scope -RecipientRestrictionFilter $filter | Out-Null
}

foreach ($role in $roles) {
    $name = "vtesync $($role.Replace('Application ', ''))"
    if (Get-ManagementRoleAssignment | Where-Object { $_.Name -eq $name }) {
        continue
    }
    if ($PSCmdlet.ShouldProcess($name, 'New-ManagementRoleAssignment')) {
        New-ManagementRoleAssignment -Name $name -App $ServicePrincipalId -Role $role -CustomResourceScope $scope | Out-Null
    }
}

# InScope must be True for the one inside of the group and False for the one outside.
foreach ($mailbox in $Probe) {
    Write-Output $mailbox
    Test-ServicePrincipalAuthorization -Identity $ServicePrincipalId -Resource $mailbox | Format-Table
}
