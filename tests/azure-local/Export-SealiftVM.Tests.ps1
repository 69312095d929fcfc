# How to run: PowerShell 7 or Windows PowerShell 5.1, and Pester 5 (Install-Module Pester -MinimumVersion 5.0).
#
#     Invoke-Pester -Path tests/azure-local -Output Detailed
#
# No cluster, no Hyper-V and no MOC are needed or touched: stubs/ stands in for them, on Linux too. What the
# stubs cannot tell is whether the real commands behave as their pages say. keys/ holds public keys only, made
# for these tests; their private halves were never kept.

BeforeAll {
    foreach ($stub in @('State', 'Hyper-V', 'FailoverClusters', 'Moc')) {
        Import-Module -Name (Join-Path -Path $PSScriptRoot -ChildPath "stubs/$stub.psm1") -Force -Global
    }
    $tested = Join-Path -Path $PSScriptRoot -ChildPath '../../scripts/azure-local/Export-SealiftVM.ps1'
    $keys = Join-Path -Path $PSScriptRoot -ChildPath 'keys'
    $payroll = '7fb16fe7-00a0-476f-92b3-ccb98fd9525a'
    $web = '0d2f4f0a-5b1c-4c5e-8a55-3a8f4a1d9e01'

    function Invoke-Export {
        param([hashtable] $With = @{})
        $parameters = @{ Inbox = $inbox; WrappingKeyPath = @("$keys/safe-1.moc.pem"); Cluster = 'hq-azl-01' }
        foreach ($name in @($With.Keys)) { $parameters[$name] = $With[$name] }
        Invoke-Tested -Path $tested -Parameters $parameters
    }
    function Invoke-Clean {
        param([hashtable] $With = @{})
        Invoke-Tested -Path $tested -Parameters (@{ Inbox = $inbox; Clean = $true } + $With)
    }
    function Get-ExportFolder { @(Get-ChildItem -LiteralPath $inbox -Directory -Force) }
    $one = 'ab' * 32
    $two = 'cd' * 32
    function Write-Stored {
        # What Sealift writes beside an export that it has stored and verified.
        param([string] $Folder, [string] $Hash = '', [string[]] $Ids = @($payroll), [string] $Verdict = 'complete', [string[]] $StoredIn = @($one))
        if (-not $Hash) { $Hash = (Get-FileHash -LiteralPath "$Folder/sealift-export.json" -Algorithm SHA256).Hash.ToLowerInvariant() }
        $snapshots = @($Ids | ForEach-Object { '{"vm_id":"' + $_ + '","snapshot":"2a7f91c0","created":"2026-11-27T21:00:00Z","verdict":"' + $Verdict + '"}' })
        $entries = @($StoredIn | ForEach-Object { '{"repository":"' + $_ + '","stored":"2026-11-27T21:10:00Z","snapshots":[' + ($snapshots -join ',') + ']}' })
        [System.IO.File]::WriteAllText("$Folder/sealift-stored.json",
            '{"format":2,"export_sha256":"' + $Hash + '","repositories":[' + ($entries -join ',') + ']}')
    }
}

Describe 'Export-SealiftVM.ps1' {
    BeforeEach {
        Reset-Stub
        $inbox = Join-Path -Path $TestDrive -ChildPath ([System.Guid]::NewGuid().ToString())
        $null = New-Item -ItemType Directory -Path $inbox
        $null = Add-StubVM -Name 'tvm-payroll-01' -Id $payroll
        Add-StubKey -Name $payroll
    }

    Context 'one VM with its key' {
        It 'writes the VM, the wrapped keys and the record, and ends with 0' {
            Add-StubKey -Name 'AzureStackTvmAKRootKey' -Type 'RSA' -Size 4096
            $result = Invoke-Export -With @{ Name = 'tvm-payroll-01' }
            $result.Status | Should -Be 0 -Because $result.Text
            $folders = @(Get-ExportFolder)
            $folders.Count | Should -Be 1
            $folders[0].Name | Should -Match "^[0-9]{8}T[0-9]{6}Z-$payroll`$"
            $folder = $folders[0].FullName
            "$folder/sealift-export.json" | Should -Exist
            "$folder/sealift-export.unfinished" | Should -Not -Exist
            "$folder/sealift-export.json.part" | Should -Not -Exist
            "$folder/Keys/1/AES/${payroll}_256.json" | Should -Exist
            "$folder/Keys/1/RSA/AzureStackTvmAKRootKey_4096.json" | Should -Exist
        }

        It 'marks the folder unfinished before Export-VM writes into it' {
            $null = Invoke-Export -With @{ Name = 'tvm-payroll-01' }
            $global:SealiftStub.SeenByExport | Should -Be @('sealift-export.unfinished')
        }

        It 'exports the key after the VM' {
            $null = Invoke-Export -With @{ Name = 'tvm-payroll-01' }
            Get-StubCall | Should -Be @('Export-VM:tvm-payroll-01', "Export-MocKey:$payroll")
        }

        It 'writes JSON whose lists of one are lists, in UTF-8 without a byte order mark' {
            $null = Invoke-Export -With @{ Name = 'tvm-payroll-01' }
            $file = "$(@(Get-ExportFolder)[0].FullName)/sealift-export.json"
            $bytes = [System.IO.File]::ReadAllBytes($file)
            $bytes[0] | Should -Be 0x7B
            $text = [System.IO.File]::ReadAllText($file)
            $text | Should -Match '"vms":\s*\[\s*\{'
            $text | Should -Match '"inventory":\s*\[\s*\{'
            $text | Should -Match '"created":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"'
            $json = ConvertFrom-Json -InputObject $text
            $json.format | Should -Be 1
            $json.written_by | Should -Be 'Export-SealiftVM.ps1 1.0'
            $json.cluster | Should -Be 'hq-azl-01'
            $json.host_build | Should -Be '10.0.26100.32230'
            $json.vms[0].id | Should -BeExactly $payroll
            $json.vms[0].guest_state_isolation_type | Should -Be 'TrustedLaunch'
            $json.vms[0].protection_key | Should -BeTrue
            $json.inventory[0].has_key | Should -BeTrue
        }

        It 'lists every file but its own, with size and SHA-256' {
            $null = Invoke-Export -With @{ Name = 'tvm-payroll-01' }
            $folder = @(Get-ExportFolder)[0].FullName
            $json = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText("$folder/sealift-export.json"))
            $upper = $payroll.ToUpperInvariant()
            @($json.files | ForEach-Object { $_.path } | Sort-Object) | Should -Be @(@(
                    "Keys/1/AES/${payroll}_256.json", 'tvm-payroll-01/Virtual Hard Disks/disk.vhdx',
                    "tvm-payroll-01/Virtual Machines/$upper.vmcx", "tvm-payroll-01/Virtual Machines/$upper.vmgs",
                    "tvm-payroll-01/Virtual Machines/$upper.VMRS") | Sort-Object)
            foreach ($entry in $json.files) {
                $entry.size | Should -Be (Get-Item -LiteralPath "$folder/$($entry.path)").Length
                $entry.sha256 | Should -BeExactly (Get-FileHash -LiteralPath "$folder/$($entry.path)" -Algorithm SHA256).Hash.ToLowerInvariant()
            }
        }

        It 'wraps the key to every wrapping key, each in a folder of its own' {
            $result = Invoke-Export -With @{ Name = 'tvm-payroll-01'; WrappingKeyPath = @("$keys/safe-1.moc.pem", "$keys/safe-2.moc.pem") }
            $result.Status | Should -Be 0 -Because $result.Text
            $folder = @(Get-ExportFolder)[0].FullName
            "$folder/Keys/1/AES/${payroll}_256.json" | Should -Exist
            "$folder/Keys/2/AES/${payroll}_256.json" | Should -Exist
            $files = @($global:SealiftStub.Calls | Where-Object { $_.Command -eq 'Export-MocKey' } |
                    ForEach-Object { [System.IO.Path]::GetFileName($_.Parameters['wrappingPubKeyFile']) })
            $files | Should -Be @('safe-1.moc.pem', 'safe-2.moc.pem')
        }

        It 'takes the name of the cluster from Windows when none is given' {
            $null = Invoke-Tested -Path $tested -Parameters @{ Name = 'tvm-payroll-01'; Inbox = $inbox; WrappingKeyPath = "$keys/safe-1.moc.pem" }
            $json = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText("$(@(Get-ExportFolder)[0].FullName)/sealift-export.json"))
            $json.cluster | Should -Be 'HQ-AZL-01'
        }

        It 'captures a running VM crash-consistently, and asks nothing of one that is off' {
            $null = Add-StubVM -Name 'tvm-off' -Id $web -State 'Off'
            Add-StubKey -Name $web
            $null = Invoke-Export -With @{ All = $true }
            $calls = @($global:SealiftStub.Calls | Where-Object { $_.Command -eq 'Export-VM' })
            $calls[0].Parameters['CaptureLiveState'] | Should -Be 'CaptureCrashConsistentState'
            $calls[1].Parameters.ContainsKey('CaptureLiveState') | Should -BeFalse
        }

        It 'warns that CaptureSavedState writes the memory in clear' {
            $result = Invoke-Export -With @{ Name = 'tvm-payroll-01'; CaptureLiveState = 'CaptureSavedState' }
            $result.Status | Should -Be 0
            $result.Text | Should -Match 'memory of running guests.*in clear'
        }

        It 'notices another RSA key that was left in the vault, and does not touch it' {
            Add-StubKey -Name 'wrappingKey' -Type 'RSA' -Size 2048
            $result = Invoke-Export -With @{ Name = 'tvm-payroll-01' }
            $result.Status | Should -Be 0
            $result.Text | Should -Match "Remove-MocKey -name 'wrappingKey'"
            Get-StubKeyName | Should -Contain 'wrappingKey'
        }
    }

    Context 'the inventory' {
        It 'has the VMs of every node, and says which have no key' {
            $global:SealiftStub.Nodes += [pscustomobject] @{ Name = 'NODE-2'; State = 'Up' }
            $null = Add-StubVM -Name 'plain-01' -Id $web -Isolation 'Disabled' -Node 'NODE-2'
            $null = Invoke-Export -With @{ Name = 'tvm-payroll-01' }
            $json = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText("$(@(Get-ExportFolder)[0].FullName)/sealift-export.json"))
            @($json.inventory).Count | Should -Be 2
            ($json.inventory | Where-Object { $_.id -eq $web }).has_key | Should -BeFalse
        }

        It 'stops when a node does not answer, because its VMs would look as if they were gone' {
            $global:SealiftStub.Nodes += [pscustomobject] @{ Name = 'NODE-2'; State = 'Up' }
            $global:SealiftStub.Fail['Get-VM:NODE-2'] = 'WinRM cannot complete the operation'
            $result = Invoke-Export -With @{ Name = 'tvm-payroll-01' }
            $result.Status | Should -Be 4
            $result.Text | Should -Match 'NODE-2'
            @(Get-ExportFolder).Count | Should -Be 0
        }

        It 'does not let another node write into a folder of this one' {
            $global:SealiftStub.Nodes += [pscustomobject] @{ Name = 'NODE-2'; State = 'Up' }
            $null = Add-StubVM -Name 'tvm-web' -Id $web -Node 'NODE-2'
            Add-StubKey -Name $web
            $result = Invoke-Export -With @{ Name = 'tvm-web' }
            $result.Status | Should -Be 4
            $result.Text | Should -Match 'another node'
            @(Get-ExportFolder).Count | Should -Be 0
        }
    }

    Context 'what fails' {
        It 'does not export a Trusted Launch VM without a key' {
            $global:SealiftStub.Keys.Clear()
            $result = Invoke-Export -With @{ Name = 'tvm-payroll-01' }
            $result.Status | Should -Be 4
            $result.Text | Should -Match 'no protection key'
            $result.Text | Should -Match 'tvm-payroll-01'
            @(Get-ExportFolder).Count | Should -Be 0
            Get-StubCall | Should -BeNullOrEmpty
        }

        It 'exports a VM that is no Trusted Launch VM without a key' {
            $null = Add-StubVM -Name 'plain-01' -Id $web -Isolation 'Disabled'
            $result = Invoke-Export -With @{ Name = 'plain-01' }
            $result.Status | Should -Be 0 -Because $result.Text
            $json = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText("$(@(Get-ExportFolder)[0].FullName)/sealift-export.json"))
            $json.vms[0].protection_key | Should -BeFalse
        }

        It 'goes on with the other VMs, removes what the failed one wrote, and ends with 4' {
            $null = Add-StubVM -Name 'tvm-web' -Id $web
            Add-StubKey -Name $web
            $global:SealiftStub.Fail['Export-VM:tvm-payroll-01'] = 'There is not enough space on the disk.'
            $result = Invoke-Export -With @{ All = $true }
            $result.Status | Should -Be 4
            $result.Text | Should -Match 'not enough space'
            $folders = @(Get-ExportFolder)
            $folders.Count | Should -Be 1
            $folders[0].Name | Should -Match $web
            "$($folders[0].FullName)/sealift-export.json" | Should -Exist
        }

        It 'takes an export back whose key could not be exported' {
            $global:SealiftStub.Fail["Export-MocKey:$payroll"] = 'PermissionDenied'
            $result = Invoke-Export -With @{ Name = 'tvm-payroll-01' }
            $result.Status | Should -Be 4
            @(Get-ExportFolder).Count | Should -Be 0
        }

        It 'takes an export back whose key came out in clear' {
            $global:SealiftStub.WrapAlgorithm = 'NO_KEY_WRAP'
            $result = Invoke-Export -With @{ Name = 'tvm-payroll-01' }
            $result.Status | Should -Be 4
            $result.Text | Should -Match 'in clear'
            @(Get-ExportFolder).Count | Should -Be 0
        }

        It 'names a VM that is not there, and exports the others' {
            $result = Invoke-Export -With @{ Name = @('tvm-nowhere', 'tvm-payroll-01') }
            $result.Status | Should -Be 4
            $result.Text | Should -Match 'tvm-nowhere'
            @(Get-ExportFolder).Count | Should -Be 1
        }
    }

    Context 'parameters' {
        It 'refuses a wrapping key in SPKI form, and says which file to take' {
            $result = Invoke-Export -With @{ Name = 'tvm-payroll-01'; WrappingKeyPath = "$keys/safe-1.pub.pem" }
            $result.Status | Should -Be 2
            $result.Text | Should -Match 'SPKI'
            $result.Text | Should -Match 'KEY\.moc\.pem'
            @(Get-ExportFolder).Count | Should -Be 0
        }

        It 'refuses SPKI bytes under a PKCS#1 label' {
            $text = [System.IO.File]::ReadAllText("$keys/safe-1.pub.pem").Replace('PUBLIC KEY', 'RSA PUBLIC KEY')
            [System.IO.File]::WriteAllText("$inbox/relabelled.pem", $text)
            $result = Invoke-Export -With @{ Name = 'tvm-payroll-01'; WrappingKeyPath = "$inbox/relabelled.pem" }
            $result.Status | Should -Be 2
            $result.Text | Should -Match 'no RSA public key'
        }

        It 'refuses a private key' {
            # Not a key: only what a private key's file begins and ends with.
            $private = 'PRIVATE' + ' KEY'
            [System.IO.File]::WriteAllText("$inbox/safe-1.pem", "-----BEGIN $private-----`nAAAA`n-----END $private-----`n")
            $result = Invoke-Export -With @{ Name = 'tvm-payroll-01'; WrappingKeyPath = "$inbox/safe-1.pem" }
            $result.Status | Should -Be 2
            $result.Text | Should -Match 'must never be on this host'
        }

        It 'refuses a PEM file that was saved as UTF-16' {
            [System.IO.File]::WriteAllText("$inbox/utf16.pem", [System.IO.File]::ReadAllText("$keys/safe-1.moc.pem"), [System.Text.Encoding]::Unicode)
            $result = Invoke-Export -With @{ Name = 'tvm-payroll-01'; WrappingKeyPath = "$inbox/utf16.pem" }
            $result.Status | Should -Be 2
            $result.Text | Should -Match 'UTF-16'
        }

        It 'ends with 2 without VM, inbox or wrapping key' {
            (Invoke-Tested -Path $tested -Parameters @{ Inbox = $inbox; WrappingKeyPath = "$keys/safe-1.moc.pem" }).Status | Should -Be 2
            (Invoke-Tested -Path $tested -Parameters @{ All = $true; WrappingKeyPath = "$keys/safe-1.moc.pem" }).Status | Should -Be 2
            (Invoke-Tested -Path $tested -Parameters @{ All = $true; Inbox = $inbox }).Status | Should -Be 2
            (Invoke-Tested -Path $tested -Parameters @{ All = $true; Inbox = "$inbox/nowhere"; WrappingKeyPath = "$keys/safe-1.moc.pem" }).Status | Should -Be 2
        }
    }

    Context '-WhatIf' {
        It 'touches nothing' {
            $result = Invoke-Export -With @{ All = $true; WhatIf = $true }
            $result.Status | Should -Be 0 -Because $result.Text
            @(Get-ChildItem -LiteralPath $inbox -Force).Count | Should -Be 0
            Get-StubCall | Should -BeNullOrEmpty
        }

        It 'removes nothing' {
            $null = Invoke-Export -With @{ All = $true }
            $folder = @(Get-ExportFolder)[0].FullName
            Write-Stored -Folder $folder
            (Invoke-Clean -With @{ WhatIf = $true }).Status | Should -Be 0
            "$folder/sealift-export.json" | Should -Exist
        }
    }

    Context '-Clean' {
        BeforeEach {
            $null = Invoke-Export -With @{ All = $true }
            $folder = @(Get-ExportFolder)[0].FullName
        }

        It 'removes an export that is stored as it lies there' {
            Write-Stored -Folder $folder
            $result = Invoke-Clean
            $result.Status | Should -Be 0 -Because $result.Text
            $folder | Should -Not -Exist
        }

        It 'leaves an export that is not stored, and names it' {
            $result = Invoke-Clean
            $result.Status | Should -Be 0
            $result.Text | Should -Match 'has not stored it yet'
            $folder | Should -Exist
        }

        It 'leaves an export whose record is not the one that was stored' {
            Write-Stored -Folder $folder -Hash ('0' * 64)
            (Invoke-Clean).Text | Should -Match 'another sealift-export.json'
            $folder | Should -Exist
        }

        It 'leaves an export of which a VM is not stored' {
            Write-Stored -Folder $folder -Ids @($web)
            (Invoke-Clean).Text | Should -Match $payroll
            $folder | Should -Exist
        }

        It 'leaves an export whose snapshot is not complete' {
            Write-Stored -Folder $folder -Verdict 'incomplete'
            (Invoke-Clean).Text | Should -Match 'no complete snapshot'
            $folder | Should -Exist
        }

        It 'removes an export only when each repository that is named has stored it' {
            Write-Stored -Folder $folder
            $result = Invoke-Clean -With @{ Repository = @($one, $two) }
            $result.Status | Should -Be 0
            $result.Text | Should -Match "repository $two has not stored it yet"
            $folder | Should -Exist
            Write-Stored -Folder $folder -StoredIn @($one, $two)
            $result = Invoke-Clean -With @{ Repository = @($one, ($two.ToUpperInvariant() -replace '(.{4})', '$1 ')) }
            $result.Status | Should -Be 0 -Because $result.Text
            $folder | Should -Not -Exist
        }

        It 'waits for every repository that the inbox knows of when none is named' {
            $second = Join-Path -Path $inbox -ChildPath "20200101T000000Z-$web"
            $null = New-Item -ItemType Directory -Path $second
            [System.IO.File]::Copy("$folder/sealift-export.json", "$second/sealift-export.json")
            Write-Stored -Folder $second -StoredIn @($two)
            Write-Stored -Folder $folder
            $result = Invoke-Clean
            $result.Text | Should -Match "repository $two has not stored it yet"
            $folder | Should -Exist
            $second | Should -Exist
        }

        It 'reads the record that named one repository only' {
            $hash = (Get-FileHash -LiteralPath "$folder/sealift-export.json" -Algorithm SHA256).Hash.ToLowerInvariant()
            [System.IO.File]::WriteAllText("$folder/sealift-stored.json",
                '{"format":1,"repository":"' + $one + '","export_sha256":"' + $hash + '","stored":"2026-11-27T21:10:00Z","snapshots":[' +
                '{"vm_id":"' + $payroll + '","snapshot":"2a7f91c0","created":"2026-11-27T21:00:00Z","verdict":"complete"}]}')
            $result = Invoke-Clean
            $result.Status | Should -Be 0 -Because $result.Text
            $folder | Should -Not -Exist
        }

        It 'refuses an id that is not whole' {
            Write-Stored -Folder $folder
            $result = Invoke-Clean -With @{ Repository = @('abab') }
            $result.Status | Should -Be 2
            $result.Text | Should -Match '64 hexadecimal digits'
            $folder | Should -Exist
        }

        It 'leaves an unfinished export' {
            Write-Stored -Folder $folder
            [System.IO.File]::WriteAllText("$folder/sealift-export.unfinished", '')
            (Invoke-Clean).Text | Should -Match 'not finished'
            $folder | Should -Exist
        }

        It 'leaves a sealift-stored.json that cannot be read' {
            [System.IO.File]::WriteAllText("$folder/sealift-stored.json", '{"format":1,')
            (Invoke-Clean).Text | Should -Match 'cannot be judged'
            $folder | Should -Exist
        }

        It 'leaves folders that are no exports' {
            $other = "$inbox/photographs"
            $null = New-Item -ItemType Directory -Path $other
            (Invoke-Clean).Text | Should -Match 'not an export folder'
            $other | Should -Exist
        }
    }
}
