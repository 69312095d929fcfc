# What the stubs of Hyper-V, FailoverClusters and MOC stand on: one cluster in a variable, the calls in the
# order they came, and a way to run a script and catch what it says.
Set-StrictMode -Version 3.0

function Reset-Stub {
    # A cluster of one node, this host, with an empty vault and no VM.
    $global:SealiftStub = [pscustomobject] @{
        Calls             = New-Object -TypeName System.Collections.ArrayList
        ClusterName       = 'HQ-AZL-01'
        Nodes             = @([pscustomobject] @{ Name = [System.Environment]::MachineName; State = 'Up' })
        VMs               = New-Object -TypeName System.Collections.ArrayList
        Keys              = New-Object -TypeName System.Collections.ArrayList
        Switches          = New-Object -TypeName System.Collections.ArrayList
        Incompatibilities = @()
        # "Command" or "Command:name of the VM, key or switch" -> the text of the error that it ends with, or a
        # script block that changes something just before the command does its work.
        Fail              = @{}
        WrapAlgorithm     = 'CKM_RSA_AES_KEY_WRAP'
        HeartbeatOnStart  = 'OkApplicationsHealthy'
        BitLocker         = @('C: FullyEncrypted protection On Unlocked')
        SeenByExport      = @()
    }
}

function Add-StubVM {
    param(
        [string] $Name, [string] $Id, [string] $Isolation = 'TrustedLaunch', [string] $State = 'Running',
        [string] $Node = [System.Environment]::MachineName
    )
    $vm = [pscustomobject] @{
        Name = $Name; VMId = [System.Guid] $Id; State = $State; GuestStateIsolationType = $Isolation; Heartbeat = ''
        Node = $Node; Adapters = @([pscustomobject] @{ Name = 'Network Adapter'; SwitchName = 'Production' })
    }
    $null = $global:SealiftStub.VMs.Add($vm)
    $vm
}

function Add-StubKey {
    param([string] $Name, [string] $Type = 'AES', [int] $Size = 256)
    $null = $global:SealiftStub.Keys.Add([pscustomobject] @{
            Name = $Name; properties = [pscustomobject] @{ kty = $Type; key_size = $Size }
        })
}

function Add-StubCall {
    # Records the call, and ends it with an error where the test wants one.
    param([string] $Command, [System.Collections.IDictionary] $Parameters, [string] $About = '')
    $copy = @{}
    foreach ($name in @($Parameters.Keys)) { $copy[$name] = $Parameters[$name] }
    $null = $global:SealiftStub.Calls.Add([pscustomobject] @{ Command = $Command; About = $About; Parameters = $copy })
    foreach ($trigger in @($Command, "${Command}:$About")) {
        if (-not $global:SealiftStub.Fail.ContainsKey($trigger)) { continue }
        $what = $global:SealiftStub.Fail[$trigger]
        if ($what -isnot [scriptblock]) { throw $what }
        $null = & $what
    }
}

function Get-StubCall {
    # The calls that change something, as "Command:about", in order.
    @($global:SealiftStub.Calls | Where-Object { $_.Command -notlike 'Get-*' -or $_.Command -eq 'Get-MocKeyPublicKey' } |
            ForEach-Object { "$($_.Command):$($_.About)" })
}

function Get-StubKeyName { @($global:SealiftStub.Keys | ForEach-Object { $_.Name }) }

function Invoke-Tested {
    # Runs a script as an operator would, with its exit status and everything it said.
    param([string] $Path, [hashtable] $Parameters)
    $global:LASTEXITCODE = -1
    $said = @(& $Path @Parameters 2>&1 3>&1)
    [pscustomobject] @{ Status = $global:LASTEXITCODE; Text = (@($said | ForEach-Object { "$_" }) -join "`n") }
}

Export-ModuleMember -Function '*'
