# Stands in for the FailoverClusters module.
Set-StrictMode -Version 3.0

function Get-Cluster {
    [CmdletBinding()]
    param()
    [pscustomobject] @{ Name = $global:SealiftStub.ClusterName }
}

function Get-ClusterNode {
    [CmdletBinding()]
    param()
    $global:SealiftStub.Nodes
}

Export-ModuleMember -Function '*'
