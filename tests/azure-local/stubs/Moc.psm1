# Stands in for MOC's key vault. An import of a name that is taken is reported the way that is easiest to
# miss: InvalidVersion on the error stream, and the call returns.
Set-StrictMode -Version 3.0

function Assert-Vault {
    param([string] $Group, [string] $KeyvaultName)
    if ($Group -ne 'AzureStackHostAttestation' -or $KeyvaultName -ne 'AzureStackTvmKeyVault') { throw 'NotFound' }
}

function Find-Key {
    param([string] $Name)
    $global:SealiftStub.Keys | Where-Object { $_.Name -eq $Name } | Select-Object -First 1
}

function Get-MocConfig { [pscustomobject] @{ moduleVersion = '1.2.30'; version = '1.15.0.10000' } }

function Get-MocKey {
    param([string] $group, [string] $keyvaultName)
    Assert-Vault -Group $group -KeyvaultName $keyvaultName
    Add-StubCall -Command 'Get-MocKey' -Parameters $PSBoundParameters
    @($global:SealiftStub.Keys)
}

function Export-MocKey {
    [CmdletBinding()]
    param([string] $name, [string] $wrappingKeyName, [string] $wrappingPubKeyFile, [string] $outFile, [string] $group, [string] $keyvaultName, [int] $size)
    Assert-Vault -Group $group -KeyvaultName $keyvaultName
    Add-StubCall -Command 'Export-MocKey' -Parameters $PSBoundParameters -About $name
    if ($null -eq (Find-Key -Name $name)) { throw 'NotFound' }
    $text = '{"public-key":"","private-key":"d3JhcHBlZA==","private-key-wrapping-info":{"key-name":"","public-key":"cHVibGlj","enc":"' +
        $global:SealiftStub.WrapAlgorithm + '"}}'
    [System.IO.File]::WriteAllText($outFile, $text)
}

function Import-MocKey {
    [CmdletBinding()]
    param([string] $name, [string] $wrappingKeyName, [string] $importKeyFile, [string] $group, [string] $keyvaultName, [int] $size, [string] $type)
    Assert-Vault -Group $group -KeyvaultName $keyvaultName
    Add-StubCall -Command 'Import-MocKey' -Parameters $PSBoundParameters -About $name
    if ($null -eq (Find-Key -Name $wrappingKeyName)) { throw 'NotFound' }
    if ($null -ne (Find-Key -Name $name)) {
        Write-Error -Message 'InvalidVersion: the key exists' -ErrorAction Continue
        return
    }
    Add-StubKey -Name $name -Type $type -Size $size
}

function New-MocKey {
    [CmdletBinding()]
    param([string] $name, [string] $type, [int] $size, [string] $group, [string] $keyvaultName)
    Assert-Vault -Group $group -KeyvaultName $keyvaultName
    Add-StubCall -Command 'New-MocKey' -Parameters $PSBoundParameters -About $name
    Add-StubKey -Name $name -Type $type -Size $size
}

function Get-MocKeyPublicKey {
    [CmdletBinding()]
    param([string] $name, [string] $outputFile, [string] $group, [string] $keyvaultName)
    Assert-Vault -Group $group -KeyvaultName $keyvaultName
    Add-StubCall -Command 'Get-MocKeyPublicKey' -Parameters $PSBoundParameters -About $name
    [System.IO.File]::WriteAllText($outputFile, "-----BEGIN RSA PUBLIC KEY-----`nAAAA`n-----END RSA PUBLIC KEY-----`n")
}

function Remove-MocKey {
    [CmdletBinding()]
    param([string] $name, [string] $group, [string] $keyvaultName)
    Assert-Vault -Group $group -KeyvaultName $keyvaultName
    Add-StubCall -Command 'Remove-MocKey' -Parameters $PSBoundParameters -About $name
    $key = Find-Key -Name $name
    if ($null -eq $key) { throw 'NotFound' }
    $global:SealiftStub.Keys.Remove($key)
}

Export-ModuleMember -Function 'Get-MocConfig', 'Get-MocKey', 'Export-MocKey', 'Import-MocKey', 'New-MocKey', 'Get-MocKeyPublicKey', 'Remove-MocKey'
